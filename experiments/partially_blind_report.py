"""Tables, figure and picture of `partially_blind.py`, from its rows."""

from pathlib import Path
from typing import Any

import numpy as np
from report import table, write_rows
from workers import Row

BRIEF = ("BIRD", "fully blind", "partially blind", "operator known")  # in the README and the picture


def report(rows: list[Row], methods: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The whole table, and the README's few lines of it."""
    cells, brief = [], []
    for task in dict.fromkeys(row["task"] for row in rows):
        here = {method: [row for row in rows if (row["task"], row["method"]) == (task, method)] for method in methods}
        cells += [line(task, method, group) for method, group in here.items() if group]
        values = [f"{np.mean([row['psnr'] for row in here[method]]):.2f}" for method in BRIEF]
        brief.append([task, f"{np.mean([row['input'] for row in here['BIRD']]):.2f}", *values])
    head = ["task", "method", "input", "PSNR", "gain", "SSIM"]
    head += ["kernel similarity", "codec's error", "rank", "evaluations"]
    return table(head, cells), table(["task", "input", *BRIEF], brief)


def line(task: str, method: str, rows: list[Row]) -> list[str]:
    """Means over the photographs."""

    def mean(key: str, form: str = ".2f", within: str = "") -> str:
        parts = [row.get(within, {}) if within else row for row in rows]
        values = [part[key] for part in parts if key in part]
        return format(np.mean(values), form) if values else ""

    def parameter(key: str) -> str:
        first, last = mean(key, ".3f", "start"), mean(key, ".3f", "found")
        return f"{first} → {last}" if first else ""

    gains = np.array([row["psnr"] - row["input"] for row in rows])
    cells = [task, method, mean("input"), mean("psnr"), f"{gains.mean():+.2f} ± {gains.std() / len(gains) ** 0.5:.2f}"]
    cells += [mean("ssim", ".3f"), parameter("kernel"), parameter("quality"), mean("rank")]
    return [*cells, mean("evaluations", ".0f")]


def write_figure(rows: list[Row], weights: tuple[Any, ...], path: Path) -> None:
    """PSNR and the density objective over its weight."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    right = axes.twinx()
    places = [1e-8 if weight is None else weight for weight in weights]
    tasks = dict.fromkeys(row["task"] for row in rows)
    for task, colour in zip(tasks, ("tab:blue", "tab:orange"), strict=False):
        groups = [[row for row in rows if (row["task"], row["weight"]) == (task, weight)] for weight in weights]
        gains = [np.mean([row["psnr"] - row["input"] for row in group]) for group in groups]
        axes.plot(places, gains, "o-", color=colour, label=task)
        densities = [np.mean([row["density"] for row in group]) for group in groups]
        right.plot(places, densities, "x--", color=colour)
    axes.set(xscale="log", xlabel="weight of the density objective (leftmost: none)", ylabel="gain in PSNR (dB), solid")
    right.set(yscale="log", ylabel="density objective of the noise (dashed)")
    right.axhline(5, color="grey", linewidth=0.5)
    axes.legend()
    figure.savefig(path, dpi=100)


def write_picture(out: Path, tasks: list[str], path: Path) -> None:
    """A row a task: degraded, by the methods of the brief table, the photograph."""
    rows = []
    for task in tasks:
        triples = [np.load(out / f"{task}-{method}.npy") for method in BRIEF]
        rows.append([triples[0][0], *(restored for _, restored, _ in triples), triples[0][2]])
    write_rows(path, rows)
