"""Rows of `speed_start.py` as a table: what users wait for, beside what was aimed at."""

import statistics
from collections.abc import Sequence
from typing import Any

from kept_rows import read
from report import table

FIRST, LATER = "first", "later"
ONE = "`jaxrestore restore` of one image of 64 x 64"
TARGETS: dict[tuple[str, str], tuple[str, float | None]] = {  # what is asked of which run, in seconds
    ("help", LATER): ("`jaxrestore --help`, s", 0.5),
    ("restore", FIRST): (f"{ONE}, the first run, s", 12),
    ("restore", LATER): (f"{ONE}, a later run, s", 5),
    ("restore with photos", FIRST): (f"{ONE} with `photos`, the first run, s", 12),
    ("restore with photos", LATER): (f"{ONE} with `photos`, a later run, s", 5),
    ("to the first iteration", FIRST): (f"{ONE} until its first iteration, the first run, s", None),
    ("to the first iteration", LATER): (f"{ONE} until its first iteration, a later run, s", 5),
    ("demo", FIRST): ("`jaxrestore demo`, the first run, s", 45),
    ("tests", FIRST): ("the tests, s", 360),
}
BRIEF = (("help", LATER), ("restore", FIRST), ("restore", LATER), ("demo", FIRST), ("tests", FIRST))
Judged = dict[str, dict[tuple[str, str], list[str]]]


def judged() -> Judged:
    """By device, what was measured there, each with its target and met or missed."""
    rows = read("speed_start")
    found: Judged = {row["machine"]["device"]: {} for row in rows}
    for row in rows:
        for run, seconds in ((FIRST, [row["first_s"]]), (LATER, row["seconds"])):
            if seconds and (row["what"], run) in TARGETS:
                what, most = TARGETS[row["what"], run]
                found[row["machine"]["device"]][row["what"], run] = _cells(what, most, seconds)
    return found


def _cells(what: str, most: float | None, seconds: Sequence[float]) -> list[str]:
    middle = statistics.median(seconds)
    shown = " / ".join(f"{value:.1f}" for value in dict.fromkeys((min(seconds), middle, max(seconds))))
    if most is None:
        return [what, "", shown, ""]
    return [what, f"at most {most:g}", shown, "met" if middle <= most else "missed"]


def waits() -> list[str]:
    """All of it, as Markdown."""
    head = ["device", "what", "target", "least / median / most", ""]
    return table(head, [[device, *cells] for device, some in judged().items() for cells in ordered(some)])


def ordered(cells: dict[Any, list[str]]) -> list[list[str]]:
    return [cells[one] for one in TARGETS if one in cells]


def brief(devices: Sequence[str]) -> list[list[str]]:
    """The README's lines: medians, a column a device."""
    found, lines = judged(), []
    for one in BRIEF:
        by_device = [found.get(device, {}).get(one) for device in devices]
        known = next((cells for cells in by_device if cells is not None), None)
        if known is not None:
            lines.append([*known[:2], *("" if cells is None else _median(cells) for cells in by_device)])
    return lines


def _median(cells: list[str]) -> str:
    values = cells[2].split(" / ")
    return f"{values[len(values) // 2]} ({cells[3]})"


def parts() -> dict[tuple[str, str], list[str]]:
    """Of the kept rows alone."""
    return {("docs/speed.md", "waits"): waits()}
