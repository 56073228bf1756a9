"""The page of an experiment, `report.html` in its folder: what its document has of the kept rows, and pictures with a slider
between before and after, in one file that needs no other."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxrestore._files import write_aside
from jaxrestore.files.pictures import image_of, picture_of
from jaxrestore.methods import citation
from jaxrestore.pages import Html, document, element, figure, slider, table


class Compared(NamedTuple):
    """Two pictures ``[h, w, 3]`` in [-1, 1] of one size, and what they are of."""

    subject: str  # by which they stand together
    names: tuple[str, str]
    before: np.ndarray
    after: np.ndarray
    reference: np.ndarray | None = None  # which is shown once a subject


def write_page(out: Path, title: str, lines: list[str], pictures: list[Compared]) -> Path:
    """Write it: `lines` as a document has them (tables, headings, lists), their links to pictures left out."""
    path = out / "report.html"
    parts = [*markup(lines), *sliders(pictures), element("h2", "How to cite"), element("pre", citation())]
    write_aside(path, lambda aside: aside.write_text(document(title, *parts), "utf-8"))
    return path


def sliders(pictures: list[Compared]) -> list[Html]:
    """By subject: the reference, and each of its pairs."""
    parts = []
    for subject in dict.fromkeys(one.subject for one in pictures):
        here = [one for one in pictures if one.subject == subject]
        reference = next((one.reference for one in here if one.reference is not None), None)
        shown = [] if reference is None else [figure(drawn(reference), f"{subject}, the reference", "Reference")]
        shown += [slider(drawn(one.before), drawn(one.after), one.names, subject) for one in here]
        parts += [element("h2", subject), element("div", *shown, class_="pictures")]
    return parts


def drawn(image: np.ndarray) -> Any:
    return image_of(picture_of(image, "").pixels, 768)


def markup(lines: list[str]) -> list[Html]:
    """The Markdown that `report.table` and its like make: headings, tables, lists and paragraphs, everything in them text."""
    parts, rows, heading = [], [], "Rows"
    for line in [*lines, ""]:
        if line.startswith("|"):
            rows.append([cell.strip().strip("*") for cell in line.strip("|").split("|")])
            continue
        if rows:
            body = [row for row in rows[1:] if not set("".join(row)) <= {"-", ":"}]
            parts.append(table(rows[0], body, heading, said=False))
            rows = []
        if line.startswith("#"):
            heading = line.lstrip("# ")
            parts.append(element("h3", heading))
        elif line.strip() and not line.startswith("!["):
            parts.append(element("p", re.sub(r"^- ", "• ", line)))
    return parts
