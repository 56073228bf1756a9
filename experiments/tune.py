"""How the settings of `flowers64` were chosen: what was tried, on photographs that appear in no table.

    python experiments/tune.py --data eval.tar

Variations of the prior's own settings, which stand with their reasons in `flowers64_settings.py` and are written beside the
prior by it: choose there, then measure here again. The photographs are of the tuning half (even positions); differences are
of pairs, to the shipped settings. Ten photographs of one task take half an hour on two cores, a full gradient's longer;
`--task` divides the work; resumes. Writes `docs/tuning.md`, of the tasks that are measured.
"""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import flowers
import numpy as np
import workers
from kept_rows import grouped, kept, read
from report import Parts, interval, table, write
from variants import Variant, results, spent
from workers import Row


def tried(task: str, words: str, start: float | None = None, **changes: Any) -> Variant:
    """BIRD with the prior's settings, and changes to them."""
    return Variant(task, f"BIRD, {words}", changes=tuple(changes.items()), start=start)


def changed(task: str, words: str, start: float | None = None, **changes: Any) -> Variant:
    """BIRD with the settings of before, and changes to them."""
    return tried(task, words, start, **{**BEFORE.get(task, {}), **changes})


ABOUT = ("task", "label", "method", "noise", "settings", "start")
SHIPPED = "as shipped"
SHOWN = {"input": ".2f", "psnr": ".2f", "gmsd": ".3f", "kernel_start": ".3f", "kernel_found": ".3f"}
TASKS = (
    "denoise",
    "inpaint",
    "compressed-sensing",
    "motion-deblur",
    "super-resolution",
    "blind-deblur",
    "blind-motion-deblur",
    "blind-super-resolution",
)
WALKS = ((100, 60, 1), (200, 120, 1), (200, 60, 2), (333, 100, 2))  # skip, iterations, restarts: all of equal cost
FROZEN = {"operator_every": 0, "operator_lr": 0.0}
FULL: dict[str, Any] = {"iterations": 100, "noise_lr": 0.05, "decay": "cosine", "stop": ()}
BEFORE: dict[str, dict[str, Any]] = {  # what was shipped when the others were measured, which are changes to that
    "inpaint": FULL,
    "deblur": FULL,
    "motion-deblur": FULL,
    "super-resolution": {"iterations": 60},
    "blind-deblur": {"iterations": 60, "skip": 200},
    "blind-motion-deblur": {"iterations": 60, "skip": 200},
    "blind-super-resolution": {"iterations": 60, "skip": 200, "restarts": 2, "operator_every": 10, "operator_lr": 2e-4},
}
NOT_FIRST = {  # why what is shipped isn't the first of its table
    "inpaint": "What stands above the shipped settings is within its interval, at twice the evaluations.",
    "blind-super-resolution": "Invert2Restore's rows chose its weight of the density: 1e-05, as more costs more without "
    "noise. Of BIRD's the shipped is first.",
}


def planned() -> list[Variant]:
    """What is compared: each task as shipped, and what differs from that."""
    shipped, variants = {task: tried(task, SHIPPED) for task in TASKS}, []
    for task in ("denoise", "inpaint", "motion-deblur", "blind-deblur", "blind-motion-deblur"):
        for skip, iterations, restarts in WALKS:
            walk = {"skip": skip, "iterations": iterations, "restarts": restarts}
            words = f"{1000 // skip} steps, {iterations} iterations, {restarts} restarts"
            variants.append(changed(task, words, **walk))
            if task.startswith("blind"):
                variants.append(changed(task, f"{words}, kernel frozen", **walk, **FROZEN))
    variants += [changed("super-resolution", "60 iterations")]
    variants += [changed("inpaint", f"rate {rate}", noise_lr=rate) for rate in (0.03, 0.1)]
    for task in ("denoise", "motion-deblur", "super-resolution"):  # what the frozen derivative holds constant
        for constant, words in (("frozen", "the noise"), ("frozen_v", "v"), ("frozen_x0", "x0")):
            variants.append(changed(task, f"{words} constant", gradient=constant))
    variants += [changed("compressed-sensing", "v constant, rate 0.05", noise_lr=0.05, gradient="frozen_v")]
    # SHRED's derivative goes through the network: with rates of its own
    for task in ("denoise", "compressed-sensing", "motion-deblur"):
        for rate in (0.01, 0.03, 0.1):
            variants.append(changed(task, f"full gradient, rate {rate}", noise_lr=rate, gradient="full"))
    for task in ("blind-deblur", "blind-motion-deblur"):
        variants += [changed(task, "Adam on both, operator rate 0.01", operator_every=0, operator_lr=0.01)]
        variants += [changed(task, "a wide start", start=1 / 6)]
    variants += [changed("blind-deblur", "every weight of the kernel unknown", kernel="softmax", damping=2e-6)]
    variants += [changed("blind-motion-deblur", f"damping {damping}", damping=damping) for damping in (2e-5, 2e-7)]
    variants += [changed("blind-motion-deblur", "kernel steps from the start", operator_from=0.0)]
    # behind a reduction, where a kernel is hardly seen: as Invert2Restore's, more restarts, and steps that are held back
    few = {"skip": 333, "iterations": 66, "restarts": 3}
    for words, walk in (("", {}), ("3 steps, 66 iterations, 3 restarts, ", few)):
        variants.append(changed("blind-super-resolution", f"{words}damping 0.001", damping=1e-3, **walk))
        variants.append(changed("blind-super-resolution", f"{words}damping 1e-05", damping=1e-5, **walk))
        variants.append(changed("blind-super-resolution", f"{words}kernel frozen", **{**walk, **FROZEN}))
    variants += [Variant("blind-deblur", "Blind DiffPIR", "blind-diffpir", None, given="bird")]
    for weight, noise in product((1e-6, 1e-5, 1e-4, 1e-3), ("bird", "none")):  # of the density objective
        words = f"Invert2Restore, density {weight:g}" + ", no noise" * (noise == "none")
        joint = Variant("blind-super-resolution", words, "invert2restore", changes=(("density", weight),), given=noise)
        variants.append(joint)
    alike: dict[tuple, Variant] = {}  # a rule in settings is a dictionary, which can't be a key
    for one in (*shipped.values(), *variants):
        alike.setdefault((one.task, repr(one.settings()), one.start, one.noise), one)
    return list(alike.values())


def report(rows: list[Row]) -> list[str]:
    """Markdown, of the kept rows alone."""
    lines = ["# How the settings of flowers64 were chosen", ""]
    lines += [f"Photographs of the tuning half: {len(rows[0]['name'])}; made by `experiments/tune.py`, not by hand."]
    lines[-1] += " Differences are to the shipped settings on the same photographs, with 95 % intervals; what is"
    lines += [
        "compared with them are changes to what was shipped before, where that is another. What is shipped since is as"
    ]
    lines += [
        "good or better, and costs no more evaluations ([speed](speed.md); a derivative through the network is none)."
    ]
    head = [
        "setting",
        "noise",
        "input",
        "PSNR",
        "to the shipped",
        "GMSD",
        "kernel, start",
        "kernel, found",
        "evaluations",
    ]
    if waiting := [task for task in TASKS if task not in {row["task"] for row in rows}]:
        lines += ["", f"{', '.join(waiting)}: not measured anew yet."]
    for task in (task for task in TASKS if task not in waiting):
        cells, (shipped,) = [], (row for row in rows if row["task"] == task and row["label"].endswith(SHIPPED))
        here = [row for row in rows if row["task"] == task]
        for row in sorted(here, key=lambda row: (row["noise"] != shipped["noise"], -np.mean(row["psnr"]))):
            alike = row is not shipped and row["noise"] == shipped["noise"]
            gain = interval(np.subtract(row["psnr"], shipped["psnr"]), 2) if alike else ""
            numbers = {key: format(np.mean(row[key]), form) if key in row else "" for key, form in SHOWN.items()}
            cells.append([row["label"], row["noise"], numbers.pop("input"), numbers.pop("psnr"), gain])
            cells[-1] += [*numbers.values(), f"{spent(row):.0f}"]
        lines += ["", f"### {task}", *table(head, cells)]
        if cells[0][0] != shipped["label"]:
            lines += ["", NOT_FIRST.get(task, "Why the shipped settings are kept is not written yet.")]
    return [*lines, ""]


def parts() -> Parts:
    """All of the document, of the kept rows."""
    return {("docs/tuning.md", ""): report(read("tune"))}


def measure(name: str, about: str | None, tasks: Sequence[str], plan: Callable[[], list[Variant]]) -> Path:
    """Measure what is planned of the tasks that a command line asks for, on photographs of the tuning half, and keep the rows
    in the file of results of that name; where the documents are."""
    parser = workers.parser(about, f"out/{name}")
    parser.add_argument("--count", type=int, default=10, help="photographs")
    parser.add_argument("--task", nargs="+", choices=tasks, default=tasks, help="some of the tasks")
    options = parser.parse_args()
    images = flowers.with_scenes(options.data, "tuning", options.count)
    variants = [one._replace(photographs=options.count) for one in plan() if one.task in options.task]
    rows = results(variants, images, options.out, options.workers)
    kept(name, grouped(rows, ABOUT, "name", ("evaluations",)), ABOUT, "name")
    return options.docs.parent


def main() -> None:
    write(measure("tune", __doc__, TASKS, planned), parts())


if __name__ == "__main__":
    main()
