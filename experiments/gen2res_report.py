"""Tables and pictures of `gen2res_constraint.py`, from its rows and the draws that lie beside them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import read
from report import Parts, interval, table, write_rows
from workers import Row

ARMS = {
    "unconstrained": "the prior as it is",
    "random album": "other classes",
    "generative album": "16 images made from the degraded one",
    "personal album": "the same class",
}
SCORES = {"PSNR": 2, "SSIM": 3, "gradient deviation": 4}  # and the digits that are shown


def scores() -> tuple[Callable, ...]:
    """The functions of (images, references), in the order of `SCORES`."""
    from jaxrestore import metrics

    return metrics.psnr, metrics.ssim, metrics.gradient_deviation


def pictures_of(out: Path, number: int, arm: str) -> Path:
    """Where a photograph's y, clean image and draws by depth lie."""
    return out / f"{number}-{arm.replace(' ', '-')}.npz"


def parts() -> Parts:
    """The document's tables, of the kept rows."""
    rows = read("gen2res")
    whole = report(rows, rows[0]["settings"]["depth"])
    depths = max((row["depths"] for row in rows), key=len)
    few = [row for row in rows if row["depths"] == depths]
    steps = [report(few, depth) for depth in depths]
    grown = [*steps[0], *(line for lines in steps[1:] for line in lines[4:])]
    return {("docs/gen2res.md", "constraint"): whole, ("docs/gen2res.md", "steps"): grown}


def degraded(rows: list[Row]) -> list[str]:
    """The line of the degraded photographs themselves."""
    inputs = np.mean([row["input"] for row in rows if row["arm"] == "unconstrained"], axis=0)
    cells = [f"{value:.{d}f}" for value, d in zip(inputs, SCORES.values(), strict=True)]
    return ["", "degraded", "", *cells, *[""] * len(SCORES)]


def report(rows: list[Row], depth: int) -> list[str]:
    """A line for each arm: mean scores over photographs and draws, and against the unconstrained prior, paired."""
    lines, plain = [degraded(rows)], np.zeros(0)
    for arm in ARMS:
        mine = sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["name"])
        values = np.array([np.mean(row["scores"][str(depth)], axis=-1) for row in mine])  # photographs, scores
        plain = values if arm == "unconstrained" else plain
        change = values - plain
        digits = SCORES.values()
        cells = [f"{mean:.{d}f}" for mean, d in zip(values.mean(0), digits, strict=True)]
        gains = [interval(score, d) for score, d in zip(change.T, digits, strict=True)]
        sizes = sorted({row["album"] for row in mine})
        album = f"{sizes[0]} to {sizes[-1]}" if sizes[0] != sizes[-1] else str(sizes[0])
        against = gains if arm != "unconstrained" else [""] * len(SCORES)
        lines.append([str(depth + 1), arm, album if sizes != [0] else "", *cells, *against])
    return table(["K", "prior", "album", *SCORES, *(f"{name} against it" for name in SCORES)], lines)


def write_pictures(out: Path, docs: Path, depth: int, depths: tuple[int, ...], count: int, grown: int) -> None:
    """A row a photograph: degraded, every arm, clean. And at rising depths, degraded, unconstrained, personal, clean."""

    def stored(number: int, arm: str) -> Any:
        return np.load(pictures_of(out, number, arm))

    rows = []
    for number in range(count):
        arms = [stored(number, arm) for arm in ARMS]
        rows.append([arms[0]["y"], *(arm[str(depth)] for arm in arms), arms[0]["clean"]])
    write_rows(docs / "gen2res.png", rows)
    rows = []
    for number in range(grown):
        plain, personal = (stored(number, arm) for arm in ("unconstrained", "personal album"))
        pairs = [one[str(each)] for each in depths for one in (plain, personal)]
        rows.append([plain["y"], *pairs, plain["clean"]])
    write_rows(docs / "gen2res_steps.png", rows)
