"""Tables and pictures of `gen2res_constraint.py`, from its rows and the draws that lie beside them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from report import table, write_rows
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


def degraded_scores(out: Path, count: int) -> list[str]:
    """The line of the degraded photographs themselves, the first `count`."""
    import jax.numpy as jnp

    stored = [np.load(pictures_of(out, number, "unconstrained")) for number in range(count)]
    y, clean = (jnp.asarray(np.stack([one[name] for one in stored])) for name in ("y", "clean"))
    cells = [f"{float(score(y, clean).mean()):.{d}f}" for score, d in zip(scores(), SCORES.values(), strict=True)]
    return ["", "degraded", "", *cells, *[""] * len(SCORES)]


def report(rows: list[Row], depth: int, degraded: list[str]) -> list[str]:
    """A line for each arm: mean scores over photographs and draws, and against the unconstrained prior, paired."""
    lines, plain = [degraded], np.zeros(0)
    for arm in ARMS:
        mine = sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["name"])
        values = np.array([np.mean(row["scores"][str(depth)], axis=-1) for row in mine])  # photographs, scores
        plain = values if arm == "unconstrained" else plain
        change = values - plain
        error = change.std(0, ddof=1) / len(change) ** 0.5
        digits = SCORES.values()
        cells = [f"{mean:.{d}f}" for mean, d in zip(values.mean(0), digits, strict=True)]
        gains = [f"{c:+.{d}f} ± {e:.{d}f}" for c, e, d in zip(change.mean(0), error, digits, strict=True)]
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
