"""What a photograph's file holds beside its pixels, and a restored image's file is to hold again."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxrestore.errors import ImageError, InputWarning
from jaxrestore.files.colours import in_profile, own_profile
from jaxrestore.files.fitting import Fit, Size, fitted
from jaxrestore.files.opening import open_image

if TYPE_CHECKING:
    import PIL.Image

JPEG = (".jpg", ".jpeg")
# EXIF that tells of the photograph and not of its file: the camera and its owner; what it was set to, and where it was.
TOLD = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F)
INNER = (0x8769, 0x8825)
OF_THE_FILE = (0x9101, 0x9102, 0xA001, 0xA002, 0xA003, 0xA005)  # in it: how it was compressed, its colours and size
LONGEST = 65533 - 6  # bytes of it that a JPEG holds


class Metadata(NamedTuple):
    """Of an upright photograph; None for what it hasn't."""

    profile: bytes | None = None  # its RGB colour profile
    alpha: UInt8[np.ndarray, "h w"] | None = None  # its transparency, fitted as its pixels are: 255 is opaque
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None


def read_metadata(path: str | Path, size: Size, fit: Fit = "exact") -> Metadata:
    """Of an image file that is fitted to `size` (height, width), for `write_image`. ImageError as `read_image`.

    Orientation is applied, and no more among it, as is what tells of the file (size, thumbnail, compression) and not of the
    photograph.
    """
    image = open_image(path)
    alpha = None
    if image.has_transparency_data:
        layer = np.asarray(fitted(image.convert("RGBA").getchannel("A"), size, fit, path))
        alpha = layer if layer.min() < 255 else None
    return Metadata(own_profile(image), alpha, _exif(image), _resolution(image))


def check_holds(path: Path, metadata: Metadata) -> None:
    """ImageError for a file that couldn't hold the transparency."""
    if metadata.alpha is not None and path.suffix.lower() in JPEG:
        raise ImageError(f"{path} can't hold transparency, which the image has: write it as .png, .webp or .tif.")


def dressed(image: "PIL.Image.Image", metadata: Metadata, path: Path) -> tuple["PIL.Image.Image", dict[str, Any]]:
    """An RGB or grey image in sRGB as its file is to hold it, and what is saved beside its pixels."""
    from PIL import Image

    check_holds(path, metadata)
    beside: dict[str, Any] = {"exif": metadata.exif, "dpi": metadata.dpi}
    alpha = None
    if metadata.alpha is not None:
        alpha = Image.fromarray(metadata.alpha)
        if alpha.size != image.size:
            alpha = alpha.resize(image.size, Image.Resampling.BICUBIC)
        image = _off_white(image, np.asarray(alpha))
    if metadata.profile is not None and image.mode == "RGB":
        image = in_profile(image, metadata.profile)
        beside["icc_profile"] = metadata.profile
    if alpha is not None:
        image.putalpha(alpha)
    if metadata.exif is not None and path.suffix.lower() in JPEG and len(metadata.exif) > LONGEST:
        warnings.warn(f"{path} can't hold so much EXIF: it is left out.", InputWarning, stacklevel=4)
        beside["exif"] = None
    return image, {name: value for name, value in beside.items() if value is not None}


def _off_white(image: "PIL.Image.Image", alpha: np.ndarray) -> "PIL.Image.Image":
    """The colours that, laid over white by their transparency, look as the image does."""
    from PIL import Image

    seen = np.asarray(image, np.float64)
    share = (alpha / 255).reshape(*alpha.shape, *[1] * (seen.ndim - 2))
    colours = 255 - (255 - seen) / np.where(share > 0, share, 1)
    return Image.fromarray(np.clip(np.round(colours), 0, 255).astype(np.uint8))


def _exif(image: "PIL.Image.Image") -> bytes | None:
    from PIL import Image

    try:
        exif, kept = image.getexif(), Image.Exif()
        for tag in TOLD:
            if tag in exif:
                kept[tag] = exif[tag]
        for tag in INNER:
            values = {key: value for key, value in exif.get_ifd(tag).items() if key not in OF_THE_FILE}
            if values:
                kept[tag] = values
        return kept.tobytes() if len(kept) else None
    except Exception:  # faulty tags may raise anything, and nothing depends on them
        return None


def _resolution(image: "PIL.Image.Image") -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None
