"""The command line of the converter."""

import json
import sys
from pathlib import Path
from typing import Annotated

import tyro

from checkpoints_convert import ConversionError, ReadError, convert, read_config
from jaxrestore.storage import file_sha256, save_prior


def convert_file(
    source: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    config: Path,
    name: str | None = None,
    about: Path | None = None,
) -> None:
    """Convert a PyTorch checkpoint to a prior's folder.

    Args:
        source: The PyTorch file (zip format).
        out: The folder to make; it must not exist.
        config: JSON with the architecture, its arguments and the schedule.
        name: The prior's name (default: the file's).
        about: JSON with what the card should say of data, licence, attribution and measured numbers.
    """
    try:
        prior = convert(source, read_config(config), name)
        facts = json.loads(about.read_text()) if about else {}
        save_prior(prior, out, source={"file": source.name, "sha256": file_sha256(source)}, **facts)
    except (ConversionError, ReadError, OSError, ValueError, TypeError) as error:
        print(f"checkpoints_convert: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    print(f"{out}: {prior.name}, {prior.shape[0]} x {prior.shape[1]}")


if __name__ == "__main__":
    tyro.cli(convert_file)
