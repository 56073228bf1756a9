"""Two methods side by side with the same in PyTorch: DiffPIR and DDRM as the package deepinv has them, on the same weights.

    python experiments/compare_deepinv.py --data eval.tar

The network is flowers64's, as a PyTorch module in deepinv's denoiser; a box missing and 4x reduction, both with noise, on the
same photographs of the test half, with as many network evaluations. Each side is a process of its own on one core
(`deepinv_contestant.py`), and they restore in turn, so that the machine's moods fall on both. A few minutes of a core;
`pip install torch==2.14.1 torchvision==0.29.1 deepinv==0.5.0` beforehand, which the package doesn't need. Keeps
experiments/results/deepinv.jsonl, and of these rows alone, without `--data` too, makes the tables in docs/compare.md. A race
that is there already is not run again.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from deepinv_contestant import METHODS, PROBLEMS, SIGMA, STEPS
from kept_rows import kept, read
from report import Parts, interval, table, write
from speed_report import machine
from workers import Row

OURS, SAME, OWN = CONTESTANTS = ("jaxrestore", "deepinv", "deepinv, own settings")
ROUNDS = {1: 8, 4: 2}  # of so many photographs together
ABOUT = ("method", "problem", "contestant", "together")
WORDS = {"box": "a missing box of 24 x 24", "4x": "4x reduction by averaging"}


class Process:
    """A contestant that waits for its turn."""

    def __init__(self, name: str, data: Path):
        about = {"contestant": name, "data": str(data), "photographs": max(n * k for n, k in ROUNDS.items())}
        command = [sys.executable, str(Path(__file__).with_name("deepinv_contestant.py")), json.dumps(about)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name = name

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"The process of {self.name} ended (code {self.process.wait()}): see above for why.")
        return json.loads(line)

    def turn(self, asked: Row) -> Row:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return self.answer()


def race(processes: dict[str, Process], method: str, problem: str, together: int) -> list[Row]:
    """A row of each contestant: its first answer, then its rounds in turn with the others'."""
    entered = CONTESTANTS if together > 1 else CONTESTANTS[:2]  # other settings of deepinv's take no other time
    asked = {"method": method, "problem": problem, "together": together}

    def turn(name: str, start: int, seed: int) -> Row:
        return processes[name.split(",")[0]].turn({**asked, "own": name == OWN, "start": start, "seed": seed})

    firsts = {name: turn(name, 0, 0) for name in entered[:2]}
    rounds = [{name: turn(name, k * together, 1 + k) for name in entered} for k in range(ROUNDS[together])]
    rows = []
    for name in entered:
        row: Row = {"method": method, "problem": problem, "contestant": name, "together": together}
        row |= {"prior": "flowers64", "evaluations": STEPS, "sigma_y": SIGMA, "settings": rounds[0][name]["settings"]}
        if name in firsts:
            row |= {f"first {key}": round(firsts[name][key], 2) for key in ("seconds", "cpu")}
        row |= {key: [round(answers[name][key] / together, 4) for answers in rounds] for key in ("seconds", "cpu")}
        row |= {"image": list(range(ROUNDS[together] * together))}
        rows.append({**row, "psnr": [round(value, 3) for answers in rounds for value in answers[name]["psnr"]]})
    return rows


def measure(data: Path) -> list[Row]:
    """All rows, kept race by race; a race whose rows there are is not run again."""
    missing = [name for name in ("torch", "deepinv") if importlib.util.find_spec(name) is None]
    if missing:
        needed = "pip install torch==2.14.1 torchvision==0.29.1 deepinv==0.5.0"
        raise SystemExit(f"This compares with deepinv, and {' and '.join(missing)} can't be found: {needed}")
    rows = read("deepinv")
    run = {(row["method"], row["problem"], row["together"]) for row in rows}
    races = [(m, p, n) for n in (4, 1) for m in METHODS for p in PROBLEMS if (m, p, n) not in run]
    if not races:
        return rows
    processes = {name: Process(name, data) for name in CONTESTANTS[:2]}
    about: Row = {"machine": {**machine(torch=True), "deepinv": version("deepinv")}}
    for one in processes.values():
        about |= one.answer()
    for method, problem, together in races:
        raced = race(processes, method, problem, together)
        rows = kept("deepinv", [{**row, **about} for row in raced], ABOUT, "image")
        said = ", ".join(f"{row['contestant']} {np.median(row['cpu']):.2f} s" for row in raced)
        print(f"{method}, {problem}, {together} together: {said}", flush=True)
    return rows


def ratios(ours: Row, theirs: Row, name: str) -> str:
    """Least, median and most of our seconds to theirs, round by round."""
    values = np.divide(ours[name], theirs[name])
    return f"{values.min():.2f} / {np.median(values):.2f} / {values.max():.2f}"


def costs(by_entry: dict[tuple, Row]) -> list[str]:
    """What an image takes, in the races that were run."""
    body = []
    for method, problem, together in ((m, p, n) for m in METHODS for p in PROBLEMS for n in ROUNDS):
        if (method, problem, OURS, together) not in by_entry:
            continue
        ours, theirs = pair = [by_entry[method, problem, name, together] for name in (OURS, SAME)]
        medians = [f"{np.median(row['seconds']):.2f} ({np.median(row['cpu']):.2f})" for row in pair]
        against = [ratios(ours, theirs, name) for name in ("seconds", "cpu")]
        firsts = [f"{row['first seconds']:.1f} ({row['first cpu']:.1f})" for row in pair]
        body.append([method, WORDS[problem], f"{together}", *medians, *against, " and ".join(firsts)])
    head = ["", "problem", "together", OURS, SAME, "ratio, wall clock", "ratio, core", "first answer of each"]
    return table(head, body)


def answers(by_entry: dict[tuple, Row]) -> list[str]:
    """How near to the photographs they come, on those that were restored together."""
    body = []
    for method, problem in ((m, p) for m in METHODS for p in PROBLEMS):
        ours, same, own = (np.asarray(by_entry[method, problem, name, 4]["psnr"]) for name in (OURS, SAME, OWN))
        means = [f"{psnr.mean():.2f}" for psnr in (ours, same, own)]
        body.append([method, WORDS[problem], *means, interval(ours - same, 2), interval(ours - own, 2)])
    head = ["", "problem", OURS, "deepinv, our settings", "deepinv, its own"]
    return table([*head, "ours more than the first", "than the second"], body)


def lines(rows: list[Row]) -> list[str]:
    """The part of the document that is made of rows."""
    by_entry = {tuple(row[key] for key in ABOUT): row for row in rows}
    one = by_entry[METHODS[0], "box", SAME, 4]
    hardware, packages = one["machine"], one["machine"]["packages"]
    said = f"{hardware['device']}, of which each process has one; jax {packages['jax']}, torch {packages['torch']}, deepinv "
    said += f"{hardware['deepinv']}. Noise of {127.5 * one['sigma_y']:.0f} grey levels, {one['evaluations']} network "
    said += f"evaluations. The two networks' x0 differ by at most {one['network differs']:.1g}, the operators' "
    said += f"measurements by {one['operators differ']:.1g}, in units of [-1, 1]."
    many = " and ".join(f"{k} rounds of {n}" for n, k in ROUNDS.items())
    what = f"Seconds an image by the wall clock, and of the core in brackets: medians of {many}; of ratios, ours to "
    what += "deepinv's round by round, the least, the median, the most. First answers are whole, with compiling."
    means = f"Mean PSNR in dB of {len(one['image'])} photographs of the test half, and the paired differences:"
    return ["", said, "", what, *costs(by_entry), "", means, *answers(by_entry)]


def parts() -> Parts:
    """The document's part, of the kept rows."""
    return {("docs/compare.md", "deepinv"): lines(read("deepinv"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="eval.tar of the flowers; without it the rows that there are")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    if options.data:
        measure(options.data)
    write(options.docs.parent, parts())


if __name__ == "__main__":
    main()
