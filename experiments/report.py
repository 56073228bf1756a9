"""Puts measured tables into documents, between markers, so that no number is typed by hand; and pictures beside them.

A report's `parts()` are what it makes of the kept rows alone: lines, by the document and the marker that they stand at. No
marker: they are the whole document.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaxrestore.metrics import mean_interval

Parts = Mapping[tuple[str, str], list[str]]


def write(root: Path, parts: Parts) -> None:
    """Put parts into their documents, which lie below the repository's `root`."""
    for (document, name), lines in parts.items():
        insert(root / document, name, lines)


def insert(path: Path, name: str, lines: list[str]) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->`` in a Markdown file, without a name all of it."""
    if not name:
        path.write_text("\n".join(lines))
        return
    text = path.read_text()
    block = "\n".join([f"<!-- {name} -->", *lines, f"<!-- /{name} -->"])
    changed, count = re.subn(f"<!-- {name} -->.*?<!-- /{name} -->", lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{path} has {count} places marked {name!r}, not one.")
    path.write_text(changed)


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table after an empty line."""
    return ["", *(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))]


def interval(differences: np.ndarray, digits: int) -> str:
    """The mean of paired differences, and the middle 95 % of the means of ten thousand draws of as many of them."""
    mean, low, high = mean_interval(differences)
    return f"{mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def write_rows(path: Path, rows: list[list[np.ndarray]], factor: int = 2) -> None:
    """A picture of rows of images ``[h, w, 3]`` in [-1, 1], two pixels apart, then enlarged: each pixel doubled."""
    from jaxrestore.files.images import enlarge, strip, write_image

    strips = [np.pad(strip(row), ((0, 2), (0, 0), (0, 0)), constant_values=1.0) for row in rows]
    write_image(path, enlarge(np.concatenate(strips), factor))
