"""The command ``jaxrestore convert``, which is also ``python -m checkpoints_convert``."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxrestore.cli.flags import File


@dataclass(frozen=True)
class Convert:
    """Convert a PyTorch checkpoint, or a Keras U-Net of TensorFlow.js, to a prior's folder. Nothing in the file is executed,
    and neither is needed."""

    source: File
    """A torch file, a safetensors file, a diffusers folder of a UNet2DModel, such a repository of the Hugging Face Hub
    (hf:OWNER/NAME, or hf:OWNER/NAME@REVISION), or a TensorFlow.js folder (model.json)."""
    out: File
    """The folder to make; it must not exist."""
    config: Path | None = None
    """JSON with what the tensors don't tell (the error names it); well-known files need none."""
    key: str | None = None
    """Which network of a file that holds several: the name it stands under."""
    use_ema: bool = False
    """The averaged weights of a file that holds both."""
    dtype: Literal["source", "float32", "bfloat16"] = "source"
    """Of the stored parameters. source: half precision and quantised weights as the file has them, all others float32.
    bfloat16 halves float32, and rounds to three digits."""
    name: str | None = None
    """The prior's name (default: the source's)."""
    about: Path | None = None
    """JSON with what the card should say of data, licence, attribution and measured numbers."""

    def __call__(self) -> int:
        from checkpoints_convert import convert_to, read_config
        from jaxrestore.diffusion.hub import fetch, is_hub_name
        from jaxrestore.diffusion.places import refuse_existing
        from jaxrestore.diffusion.storage import read_card

        try:
            refuse_existing(self.out)  # before anything is fetched
            config = None if self.config is None else read_config(self.config)
            facts = json.loads(self.about.read_text()) if self.about else {}
            source, name, origin = self.source, self.name, {}
            if is_hub_name(source):
                fetched = fetch(source)
                source, name, origin = fetched.folder, name or fetched.name, fetched.origin
                facts = {**fetched.about, **facts}
            chosen = {"key": self.key, "use_ema": self.use_ema, "dtype": self.dtype, "name": name}
            prior = convert_to(source, self.out, config, origin=origin, about=facts, **chosen)
        except (OSError, ValueError, TypeError) as error:
            print(f"jaxrestore convert: {error}", file=sys.stderr)
            return 2
        count = read_card(self.out)["parameter_count"]
        print(f"{self.out}: {prior.name}, {prior.shape[0]} x {prior.shape[1]}, {count:,} parameters")
        return 0
