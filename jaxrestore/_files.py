"""How a file is written: aside, then renamed, so that a killed program leaves nothing half-written and loses nothing."""

import contextlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxrestore.errors import InputError


def write_aside(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Call ``write(file beside path)`` and rename the file to `path`; on failure nothing is left and `path` is as it was.

    InputError where the file can't be written.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        os.replace(aside, path)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):  # the folder itself may be what is wrong
            aside.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any, indent: int | None = 1) -> None:
    """Write a value as JSON, aside first; ValueError for numbers that JSON doesn't have (NaN, infinity)."""
    text = json.dumps(value, indent=indent, allow_nan=False) + "\n"
    write_aside(path, lambda aside: aside.write_text(text))


def check_writable(path: str | Path) -> None:
    """InputError now, rather than after the work, if a file could not be written to `path`."""
    folder = Path(path).absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{path} can't be written: {folder} is not a folder that you may write to.")


def cache_path(name: str) -> Path:
    """Where the folder of this name in the user's cache is: ~/.cache/jaxrestore/NAME, or under XDG_CACHE_HOME. RuntimeError
    where there is no home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxrestore" / name


def cache_folder(name: str) -> Path:
    """The folder of this name in the user's cache, made if need be, which only this user writes. Whatever lies there can be
    made anew, and can be deleted at any time.

    InputError where others can write it, OSError or RuntimeError where there can be none: no home, a full or read-only one.
    """
    folder = cache_path(name)
    for part in (folder.parent, folder):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = part.stat()
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            raise InputError(f"{part} can be written by others.")
    return folder
