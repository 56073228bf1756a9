"""The table of a page's restorations: what each scored, and of images restored alike their means."""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxrestore.metrics import mean_interval
from jaxrestore.pages.markup import Html, element, joined
from jaxrestore.pages.parts import table
from jaxrestore.pages.records import Run, number, part, short

ENOUGH = 6  # images for an interval


class Column(NamedTuple):
    """A score."""

    words: str
    form: str  # of a number
    of: Callable[[Run], float | None]
    is_mean: bool = True  # whether a mean says anything


def field(name: str) -> Callable[[Run], float | None]:
    return lambda run: number(run.record.get(name))


def gain(run: Run) -> float | None:
    after, before = (number(run.record.get(name)) for name in ("psnr", "psnr_of_measurement"))
    return None if after is None or before is None else after - before


COLUMNS = (
    Column("PSNR before, dB", ".2f", field("psnr_of_measurement")),
    Column("PSNR, dB", ".2f", field("psnr")),
    Column("gain, dB", "+.2f", gain),
    Column("SSIM before", ".3f", field("ssim_of_measurement")),
    Column("SSIM", ".3f", field("ssim")),
    Column("data term", ".5f", field("data_term"), False),
    Column("iterations", ".0f", field("iterations_run"), False),
    Column("seconds", ".1f", field("seconds"), False),
)


ABOUT = ("task", "method", "prior", "noise level")


def kind(run: Run) -> tuple[str, ...]:
    """Task, method, prior, and the noise that was told: of those that agree in it means are taken."""
    options = part(run.record, "options")
    return tuple(
        short(value) or "-"
        for value in (options.get("task"), method_of(run), options.get("prior"), options.get("noise_level"))
    )


def method_of(run: Run) -> str:
    """A method's name, or its class's where a person called it from Python."""
    named = part(run.record, "options").get("method") or run.record.get("class")
    return short(named) if isinstance(named, str) else ""


def score_table(runs: list[Run], anchors: list[str]) -> Html:
    """A line an image, which leads to its pictures, and of each kind of several images a line of means. What is the same of
    all is said once, above."""
    columns = [column for column in COLUMNS if any(column.of(run) is not None for run in runs)]
    differ = [index for index in range(len(ABOUT)) if len({kind(run)[index] for run in runs}) > 1]
    endings = [short(run.record.get("result")) for run in runs]
    ended = len({*endings}) > 1
    lines = [
        [_link(run, anchor), *(kind(run)[index] for index in differ), *(_cell(column, run) for column in columns)]
        + [ending] * ended
        for run, anchor, ending in zip(runs, anchors, endings, strict=True)
    ]
    means: list[list[object]] = []
    for about in dict.fromkeys(map(kind, runs)):
        alike = [run for run in runs if kind(run) == about]
        if len(alike) > 1:
            cells = [_mean(column, alike) if column.is_mean else "" for column in columns]
            means.append([f"mean of {len(alike)}", *(about[index] for index in differ), *cells, *[""] * ended])
    head = ["image", *(ABOUT[index] for index in differ), *(column.words for column in columns)]
    same = ((ABOUT[index], value) for index, value in enumerate(kind(runs[0])) if index not in differ)
    shared = [f"{name} {value}" for name, value in same if value != "-"]
    about = ["Scores", *shared, *[endings[0]] * (not ended)]
    about += [f"in brackets the middle 95 % of the bootstrap's means, from {ENOUGH} images on"] * bool(means)
    return table([*head, *["how it ended"] * ended], [*lines, *means], "; ".join(about), len(means))


def anchor_of(run: Run, index: int) -> str:
    """What a page calls a restoration's place."""
    return f"{index}-{re.sub('[^a-zA-Z0-9]+', '-', run.name)[:40]}"


def _link(run: Run, anchor: str) -> object:
    return element("a", run.name, href=f"#{anchor}") if anchor else run.name


def _cell(column: Column, run: Run) -> str:
    value = column.of(run)
    infinite = column.words == "PSNR, dB" and run.record.get("psnr") == "infinite"
    return "infinite" if infinite else "" if value is None else format(value, column.form)


def _mean(column: Column, runs: list[Run]) -> object:
    """Where every image has the score; below it its interval."""
    values = [column.of(run) for run in runs]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return ""
    mean, low, high = mean_interval(np.asarray(known, float))
    between = [element("br"), f"[{low:{column.form}}, {high:{column.form}}]"] if len(known) >= ENOUGH else []
    return joined([f"{mean:{column.form}}", *between])
