"""Documents of the rows of `tasks_table.py`, and of nothing else: pure functions of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from report import interval, table
from variants import spent
from workers import Row

from jaxrestore import published
from jaxrestore.cli.tasks import TASKS
from jaxrestore.methods.settings import tried_of

OWN = {"bird": "", "blind-diffpir": "Blind DiffPIR"}  # a task's own method, and the label of its rows
TOLD = [name for name, task in TASKS.items() if task.method.name in OWN]  # others have tables of their own
BLIND = [name for name in TOLD if TASKS[name].estimated]
BLIND_SAMPLER, SAMPLER = ("BlindDPS", "blind-dps"), ("DiffPIR", "diffpir")
SAMPLERS = {task: BLIND_SAMPLER if task in BLIND else SAMPLER for task in TOLD} | {"denoise": ("DDRM", "ddrm")}
METHODS = {"BIRD": "bird", "SHRED": "shred"}
NOISES = {task: ("bird", "white" if task == "denoise" else "none") for task in TOLD}  # BIRD's problem, and SHRED's
WORDS = {"bird": "BIRD's", "white": "30 grey levels", "none": "none"}
BRIEF = [
    (task, noise) for task in TOLD for noise in NOISES[task] if noise != "none"
]  # in the README: as photographs are
LEAST = 16  # photographs of a row in the README


def ours(rows: Sequence[Row], task: str, noise: str) -> Row | None:
    """The row of the shipped settings, of enough photographs: by the task's own method, where that is neither paper's."""
    own = OWN[TASKS[task].method.name]
    labels = {own} if own else METHODS.keys()
    fit = [row for row in rows if (row["task"], row["noise"]) == (task, noise) and row["label"] in labels]
    return fit[-1] if fit and len(fit[-1]["name"]) >= LEAST else None


def best_reference(rows: Sequence[Row], task: str, noise: str) -> Row | None:
    """The classical row of the highest PSNR, of those that are told no more than we."""
    here = [row for row in rows if (row["task"], row["noise"]) == (task, noise)]
    fair = [row for row in here if row["evaluations"] == 0 and not row["told"] and len(row["name"]) >= LEAST]
    return max(fair, key=lambda row: np.mean(row["psnr"]), default=None)


def sampled(rows: Sequence[Row], task: str, noise: str) -> Row | None:
    """The row of the sampler that people would use instead, which is told the noise besides."""
    fit = [row for row in rows if (row["task"], row["noise"], row["label"]) == (task, noise, SAMPLERS[task][0])]
    return fit[-1] if fit and len(fit[-1]["name"]) >= LEAST else None


def unfinished(rows: Sequence[Row]) -> list[str]:
    """The tasks of which a row of the README's table is missing."""
    looks = (ours, best_reference, sampled)
    return list(dict.fromkeys(task for task, noise in BRIEF if any(look(rows, task, noise) is None for look in looks)))


def brief(rows: Sequence[Row]) -> list[str]:
    """The README's table: of each task with noise the input, the best classical reference, the sampler and our settings, the
    best of the three in bold; the gain is over the better of the other two."""
    head = ["task", "noise", "input", "best classical", "sampler, told the noise", "ours", "gain, 95 % interval"]
    head += ["GMSD of the three", "evaluations", "s"]
    cells = []
    for task, noise in BRIEF:
        found = [look(rows, task, noise) for look in (best_reference, sampled, ours)]
        three = [row for row in found if row is not None]
        if len(three) < len(found):
            continue
        means = [np.mean(row["psnr"]) for row in three]
        other = three[int(np.argmax(means[:2]))]
        cells.append([task, WORDS[noise], _mean(three[-1], "input")])
        for row, mean in zip(three, means, strict=True):
            text = f"{mean:.2f} {row['label']}"
            cells[-1].append(f"**{text}**" if mean == max(means) else text)
        cells[-1] += [interval(_gains(three[-1], other), 2), ", ".join(_mean(row, "gmsd", 3) for row in three)]
        cells[-1] += [f"{spent(three[1]):.0f}, {spent(three[2]):.0f}", ", ".join(map(_seconds, three))]
    return table(head, cells)


def document(rows: Sequence[Row]) -> str:
    """`docs/results.md`, from the rows that are kept."""
    lines = ["# Every task", "", (Path(__file__).parent / "results_about.md").read_text().strip()]
    for task in TOLD:
        lines += ["", f"## {task}"]
        for noise in NOISES[task]:
            here = [row for row in rows if (row["task"], row["noise"]) == (task, noise)]
            lines += ["", f"Noise: {WORDS[noise]}.", *_methods(here, task, noise)] if here else []
            if ours(here, task, noise) is None:
                lines += ["", f"With noise: {WORDS[noise]}, the shipped settings wait to be measured."]
    twins = [cells for task in BLIND for noise in NOISES[task] if (cells := _twins(rows, task, noise))]
    if twins:
        head = ["task", "noise", "images", "operator frozen", "found", "gain, 95 % interval", "kernel, start → found"]
        lines += [
            "",
            "## What finding the operator is worth",
            "",
            "The shipped settings, and the same with the operator",
        ]
        lines[-1] += " left as it starts."
        lines += table(head, twins)
    return "\n".join([*lines, "", PICTURE, "", "![Every task](results.png)", ""])


PICTURE = "Input with BIRD's noise, sampler, ours, photograph; tasks as above, in columns."


def _methods(here: Sequence[Row], task: str, noise: str) -> list[str]:
    """A table of all methods on one problem; gains are over the best reference on the same photographs."""
    best = best_reference(here, task, noise)
    head = ["method", "numbers", "told besides", "images", "PSNR", "over the input", "over the best reference"]
    head += ["SSIM", "GMSD", "one restart", "evaluations", "s"]
    first = here[0]
    cells = [
        [
            "input",
            "",
            "",
            str(len(first["name"])),
            _mean(first, "input"),
            "",
            "",
            "",
            _mean(first, "gmsd of the input", 3),
        ]
    ]
    cells[0] += [""] * (len(head) - len(cells[0]))
    for row in sorted(here, key=lambda row: row["evaluations"]):
        if row["label"].endswith("frozen"):
            continue  # has a table of its own
        reference = row["evaluations"] == 0
        numbers = ", ".join(f"{name} {row['settings'][name]:g}" for name in _tuned(row, task))
        gain = f"{np.mean(np.subtract(row['psnr'], row['input'])):+.2f}"
        over = "" if best is None or reference else interval(_gains(row, best), 2)
        cells.append([row["label"], numbers, row["told"], str(len(row["name"])), _mean(row, "psnr"), gain, over])
        cells[-1] += [_mean(row, "ssim", 3), _mean(row, "gmsd", 3), "" if reference else _one(row)]
        cells[-1] += ["" if reference else f"{spent(row):.0f}", _seconds(row)]
    return table(head, cells)


def _tuned(row: Row, task: str) -> Sequence[str]:
    """The numbers that were tuned for this row alone, by name."""
    label, method = SAMPLERS[task]
    if row["label"] == label:
        return list(tried_of(type(published(method))))
    return list(row["settings"]) if row["evaluations"] == 0 else ()


def _twins(rows: Sequence[Row], task: str, noise: str) -> list[str]:
    row = ours(rows, task, noise)
    here = [other for other in rows if (other["task"], other["noise"]) == (task, noise)]
    frozen = [other for other in here if row is not None and other["label"] == f"{row['label']}, frozen"]
    if row is None or not frozen:
        return []
    kernel = f"{_mean(row, 'kernel_start', 3)} → {_mean(row, 'kernel_found', 3)}"
    cells = [task, WORDS[noise], str(len(frozen[-1]["name"])), _mean(frozen[-1], "psnr"), _mean(row, "psnr")]
    return [*cells, interval(_gains(row, frozen[-1]), 2), kernel]


def _gains(row: Row, other: Row) -> np.ndarray:
    """In dB, of the photographs that both have."""
    of_other = dict(zip(other["name"], other["psnr"], strict=True))
    pairs = zip(row["name"], row["psnr"], strict=True)
    return np.array([psnr - of_other[name] for name, psnr in pairs if name in of_other])


def _mean(row: Row, key: str, digits: int = 2) -> str:
    return f"{np.mean(row[key]):.{digits}f}"


def _one(row: Row) -> str:
    """The mean of single restarts, and how many make the answer."""
    return f"{np.mean(row['restarts']):.2f} (of {len(row['restarts'][0])})"


def _seconds(row: Row) -> str:
    """The median: the first image's hold compilation."""
    seconds = np.median(row["seconds"])
    return f"{seconds:.0f}" if seconds >= 9.5 else f"{seconds:.1f}"
