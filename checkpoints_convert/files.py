"""Before a file is parsed: whether it is there, may be read, and is no stand-in for the one that was meant."""

import json
import re
from pathlib import Path
from typing import Any

from checkpoints_convert.tensors import ReadError

STAND_INS = (  # how a file begins -> what it is, and what to do
    (
        rb"version https://git-lfs\.github\.com/spec/",
        "a Git LFS pointer, which stands for the file itself: fetch that with `git lfs pull`, or download it",
    ),
    (
        rb"(?i)(?:\xef\xbb\xbf)?\s*(?:<!doctype html|<html|<head|<\?xml)",
        "a web page, saved under the name of the file: download it again, from the link to the file itself (a server may "
        "answer with a page where one has to log in)",
    ),
    (
        rb"\x1f\x8b|7z\xbc\xaf\x27\x1c|BZh|\xfd7zXZ\x00",
        "a compressed archive: unpack it, and give the checkpoint in it",
    ),
    (rb"\x89HDF\r\n", "an HDF5 file (Keras, TensorFlow), which is not read: export the model to TensorFlow.js"),
)


def check_kind(path: Path) -> None:
    """ReadError where there is no such file, where it may not be read, or where its first bytes are another thing's."""
    if not path.is_file():
        raise ReadError(f"There is no file {path}.")
    try:
        with path.open("rb") as stream:
            head = stream.read(256)
    except OSError as error:
        raise ReadError(f"{path} can't be read: {error.strerror or error}.") from error
    for beginning, words in STAND_INS:
        if re.match(beginning, head):
            raise ReadError(f"{path} is {words}.")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a file, or ReadError."""
    if not path.is_file():
        raise ReadError(f"{path} can't be read: there is no such file.")
    check_kind(path)
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ReadError(f"{path} can't be read: {error}.") from error
    if not isinstance(content, dict):
        raise ReadError(f"{path} is no JSON object.")
    return content
