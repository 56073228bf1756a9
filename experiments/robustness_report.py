"""Tables and the figure of `robustness.py`, from its rows."""

from pathlib import Path

import numpy as np
from kept_rows import read
from report import Parts, interval, table
from workers import Row

ITERATIONS = (20, 40, 60, 80, 120)  # at which the table of rates is read
RULES = ("discrepancy", "plateau", "flat variance")


def parts() -> Parts:
    """All of the document, of the kept rows."""
    return {("docs/robustness.md", ""): report(read("robustness"))}


def report(rows: list[Row]) -> list[str]:
    """A section a group."""
    count, true_width = len({row["name"] for row in rows}), rows[0]["true width"]

    def group(name: str) -> dict[str, np.ndarray]:
        """Curves ``[photographs, keys, iterations]`` by label."""
        here = [row for row in rows if row["group"] == name]
        labels = dict.fromkeys(row["label"] for row in here)
        return {label: np.array([row["curve"] for row in here if row["label"] == label]) for label in labels}

    def final(name: str, best: str) -> list[list[str]]:
        last = {label: curve[:, :, -1].mean(1) for label, curve in group(name).items()}
        to_best = {label: interval(values - last[best], 2) if label != best else "" for label, values in last.items()}
        return [[label, f"{values.mean():.2f}", to_best[label]] for label, values in last.items()]

    lines = ["# What the answer depends on", ""]
    lines += [f"Photographs of the test half: {count}; made by `experiments/robustness.py`, not by hand."]
    lines += ["Differences are of pairs, with the middle 95 % of bootstrap means."]
    lines += ["", "## Starting noises (SHRED, Fig. 2)", "", "H = identity on clean photographs, BIRD as tuned."]
    (last,) = (curve[:, :, -1] for curve in group("starting noises").values())
    cells = [[str(i + 1), f"{values.mean():.2f}", f"{values.std():.2f}"] for i, values in enumerate(last)]
    lines += table(["photograph", f"PSNR, mean of {last.shape[1]} noises", "standard deviation"], cells)
    lines += ["", "## A wrong kernel (BIRD, Fig. 10)", ""]
    lines += [
        f"The true kernel is an isotropic Gaussian of {true_width} pixels; BIRD's noise, cut from a scene; BIRD as tuned."
    ]
    lines += table(["width assumed", "PSNR", "to the true one"], final("kernel width", str(true_width)))
    text = "A missing box without noise, SHRED as tuned; 1000 / skip evaluations."
    lines += ["", "## Steps (SHRED, Table 4)", "", text]
    lines += table(["skip", "PSNR", "to the paper's"], final("skip", "100"))
    text = "8x reduction without noise, SHRED, constant rates."
    lines += ["", "## Rates and iterations (SHRED, Tables 5 and 6)", "", text]
    cells = [[k, *(f"{c[:, :, n - 1].mean():.2f}" for n in ITERATIONS)] for k, c in group("rate").items()]
    lines += table(["rate", *(f"{n} iterations" for n in ITERATIONS)], cells)
    lines += [
        "",
        "## Stopping",
        "",
        "BIRD's noise, constant rate 0.03: PSNR (iteration) where each rule stops, at the end,",
        "and at the best iteration, which only the photograph can tell.",
    ]
    lines += table(["task", *RULES, "end", "best"], stopping([row for row in rows if row["group"] == "stopping"]))
    return [*lines, "", "![Curves of PSNR over iterations](robustness.png)", ""]


def stopping(rows: list[Row]) -> list[list[str]]:
    """A line a task: PSNR and iteration where each rule stops."""
    cells = []
    for label in dict.fromkeys(row["label"] for row in rows):
        here = [row for row in rows if row["label"] == label]
        values = np.array([row["curve"][0] for row in here])
        at = {rule: np.array([row[rule][0] for row in here]) for rule in RULES}
        at |= {"end": np.full(len(here), values.shape[1]), "best": values.argmax(axis=1) + 1}
        reached = {rule: values[np.arange(len(here)), numbers - 1].mean() for rule, numbers in at.items()}
        cells.append([label, *(f"{reached[rule]:.2f} ({numbers.mean():.0f})" for rule, numbers in at.items())])
    return cells


def write_figure(rows: list[Row], path: Path) -> None:
    """PSNR over iterations, a panel a group: the mean over photographs, and the band of the starting noises."""
    from matplotlib.figure import Figure

    groups = list(dict.fromkeys(row["group"] for row in rows))
    figure = Figure(figsize=(4 * len(groups), 3.2), layout="constrained")
    for axes, group in zip(figure.subplots(1, len(groups)), groups, strict=True):
        here = [row for row in rows if row["group"] == group]
        for label in dict.fromkeys(row["label"] for row in here):
            curve = np.array([row["curve"] for row in here if row["label"] == label]).mean(axis=0)
            numbers = np.arange(1, curve.shape[1] + 1)
            axes.plot(numbers, curve.mean(axis=0), label=label)
            axes.fill_between(numbers, curve.min(axis=0), curve.max(axis=0), alpha=0.3)
        axes.set(title=group, xlabel="iteration", ylabel="PSNR (dB)")
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=100)
