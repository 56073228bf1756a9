"""Checksums of a prior's files, which its card holds: of all but the card itself."""

import hashlib
import json
from pathlib import Path
from typing import Any

from jaxrestore._files import write_aside
from jaxrestore.diffusion.beside import CARD, CARD_FORMAT, read_beside
from jaxrestore.errors import PriorError

READ = ("typical.json", "settings.json")  # beside the parameters, if they are there


def file_sha256(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal, read in pieces."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_in(folder: Path) -> dict[str, Path]:
    """The files of a prior's folder but its card, by their names in it."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / CARD]
    return {path.relative_to(folder).as_posix(): path for path in paths}


def record_checksum(path: Path) -> None:
    """Let the card say the checksum of a file that was written beside it, if there is a card with checksums."""
    card = read_beside(path.parent / CARD, CARD_FORMAT, "is not the card of a prior")
    if card is not None and isinstance(card.get("sha256"), dict):
        said = {**card, "sha256": {**card["sha256"], path.name: file_sha256(path)}}
        write_aside(path.parent / CARD, lambda aside: aside.write_text(json.dumps(said, indent=1) + "\n"))


def verify_files(folder: Path, card: dict[str, Any]) -> int:
    """How many files are as the card says, by their SHA-256. PriorError names one that is not; or one that would be read, of
    which the card says nothing (what else lies there is nobody's business)."""
    digests = card.get("sha256")
    if not isinstance(digests, dict) or not digests.keys() >= card["files"].keys():
        raise PriorError(f"{folder / CARD} has no checksums to verify: save the prior again.")
    there = files_in(folder)
    for file, digest in digests.items():
        if file not in there:
            raise PriorError(f"{folder / file} is missing: the prior's folder is incomplete, copy it again.")
        if file_sha256(there[file]) != digest:
            raise PriorError(f"{folder / file} is damaged: it is not the file of which the card has the checksum.")
    read = [name for name in there if name.startswith("parameters/") or name in READ]
    if foreign := [name for name in read if name not in digests]:
        raise PriorError(f"{folder / foreign[0]} does not belong to the prior: the card has no checksum of it.")
    return len(digests)
