"""The same quality for fewer network evaluations? What iterations, rates, steps, restarts, stops and warm starts are worth.

    python experiments/quicker.py --data eval.tar

Variations of BIRD's settings for flowers64, all of fewer evaluations than those of before ("in full"), on ten photographs of
the tuning half; differences are of pairs. "stops": a constant rate, until the data term has not fallen by 2 % (or 5 %) in
ten iterations. "warm": from the noise of what fully blind restoration makes of the measurement, whose evaluations count, at
most so many. Half an hour on two cores; `--task` divides the work; resumes. Writes a table into `docs/speed.md`. To expect:
where the operator is known, a constant rate that stops is as good or better for a quarter fewer evaluations; a quarter of
the iterations is never enough.
"""

from typing import Any

import flowers
import numpy as np
from kept_rows import read
from report import Parts, interval, table, write
from tune import changed, measure
from variants import Variant, spent
from workers import Row

import jaxrestore as jr

NAME = "quicker"  # of the file of rows
TASKS = ("denoise", "inpaint", "super-resolution", "deblur", "motion-deblur", "blind-motion-deblur")
CUTS = ((2, 1), (2, 2), (4, 1), (4, 2), (4, 4))  # of the iterations, and times the rate
WORDS = {2: "half", 4: "a quarter of"}
FULL = "in full"
KNOWN = ("inpaint", "deblur", "motion-deblur")  # whose operator is: more ways to keep the rate
LOSS = 0.15  # dB that "as good" may have lost, at the lower end of the interval


def variants_of(task: str) -> list[Variant]:
    """All iterations at a falling rate, and cheaper ways."""
    full = changed(task, FULL)
    settings = full.settings()
    some = [full]
    for part, times in CUTS:
        rate = f", {times} times the rate" if times > 1 else ""
        changes = {"iterations": settings.iterations // part, "noise_lr": times * settings.noise_lr}
        some.append(changed(task, f"{WORDS[part]} the iterations{rate}", **changes))
    for fewer in dict.fromkeys((settings.restarts // 2, settings.restarts // 4)):
        if fewer:
            some.append(changed(task, f"{fewer} of {settings.restarts} restarts", restarts=fewer))
    some += [
        changed(task, f"{count} steps", skip=1000 // count) for count in (2, 3, 5) if 1000 // count > settings.skip
    ]
    some.append(changed(task, "stops", decay="constant", stop=plateau(0.02)))
    if task in KNOWN:
        sooner = {"decay": "constant", "stop": plateau(0.05)}
        some.append(changed(task, "stops at 5 %", **sooner))
        some.append(changed(task, "stops at 5 %, 2 times the rate", noise_lr=2 * settings.noise_lr, **sooner))
        for times, words in ((1, ""), (2, ", 2 times the rate")):
            changes = {"iterations": settings.iterations // 2, "noise_lr": times * settings.noise_lr}
            some.append(changed(task, f"half the iterations, constant{words}", decay="constant", **changes))
    return [*some, warm(full, 2), warm(full, 4)]


def plateau(fraction: float) -> tuple[dict[str, Any], ...]:
    """The rule that ends a search whose data term has not fallen by a fraction in ten iterations."""
    return ({"rule": "plateau", "fraction": fraction, "patience": 10},)


def warm(full: Variant, part: int) -> Variant:
    """The same search from rectified noise, with a part of the iterations."""
    settings = vars(full.settings())
    changes = {**settings, "iterations": settings["iterations"] // part, "origin": "rectified", "density": None}
    changes |= {"fresh": 0.5} if settings["restarts"] > 1 else {"fresh": 0.0}  # for restarts to differ
    return Variant(
        full.task, f"BIRD, warm, {WORDS[part]} the iterations", "invert2restore", changes=tuple(changes.items())
    )


def planned() -> list[Variant]:
    return [one for task in TASKS for one in variants_of(task)]


def before(row: Row) -> int:
    """At most so many network evaluations that a warm start takes: all rounds, and an inversion with four refinements."""
    statistics = flowers.prior().statistics
    if row["settings"].get("origin") != "rectified":
        return 0
    rounds = len(statistics.depths) * statistics.steps * (2 + statistics.refinements)
    return (rounds + 5 * (1000 // row["settings"]["skip"])) * row["settings"]["restarts"]


def cost(row: Row) -> float:
    """Network evaluations of a photograph, in the mean."""
    return spent(row) + before(row)


def report(rows: list[Row]) -> list[str]:
    """Markdown, of the kept rows alone: each task's, the cheapest first."""
    cells = []
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = sorted((row for row in rows if row["task"] == task), key=cost)
        full = next(row for row in of_task if row["label"].endswith(FULL))
        for row in of_task:
            differences = np.subtract(row["psnr"], full["psnr"])
            gain = "" if row is full else interval(differences, 2)
            good = row is not full and jr.metrics.mean_interval(differences)[1] >= -LOSS
            words = row["label"].removeprefix("BIRD, ")
            numbers = [f"{np.mean(row[name]):.{digits}f}" for name, digits in (("psnr", 2), ("gmsd", 3))]
            cells.append([task, words, f"{cost(row):.0f}", numbers[0], gain, numbers[1], "as good" * good])
    return table(["task", "BIRD", "evaluations", "PSNR", "to that in full", "GMSD", ""], cells)


def parts() -> Parts:
    """Of the kept rows alone."""
    return {("docs/speed.md", NAME): report(read(NAME))}


def main() -> None:
    write(measure(NAME, __doc__, TASKS, planned), parts())


if __name__ == "__main__":
    main()
