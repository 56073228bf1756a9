"""Rows of `partially_blind.py` as JSON lines that are kept, and the tables, figure and picture that are made of them."""

from pathlib import Path

import numpy as np
import workers
from kept_rows import grouped, kept, read
from partially_blind_problems import TASKS
from report import Parts, interval, table, write, write_rows
from workers import Row

NAME = "partially_blind"  # of the file of rows
METHODS = (
    "BIRD",
    "BIRD, restarts",
    "fully blind",
    "partially blind",
    "from fresh noise",
    "from rectified noise",
    "rectified first",
    "operator fixed",
    "operator known",
)
ABOUT = ("task", "method", "density", "settings")
ENOUGH = 8  # photographs for an interval
# In `docs/expectations.md` and the picture.
BRIEF = {
    "BIRD": ("BIRD", ""),
    "fully blind": ("fully blind", ""),
    "operator fixed": ("operator fixed", "hinge"),
    "partially blind": ("partially blind", "hinge"),
    "without the density": ("partially blind", "off"),
    "operator known": ("operator known", "hinge"),
}
PARAMETERS = ("kernel", "quality", "stops")  # as `partially_blind_problems.errors` names them


def parts() -> Parts:
    """Of the kept rows: the document's tables, and the few lines of `docs/expectations.md`."""
    lines = read(NAME)
    return {
        ("docs/invert2restore.md", "partially blind"): whole(lines, METHODS, [*TASKS]),
        ("docs/expectations.md", "partially blind"): brief(lines, [*TASKS]),
    }


def report(out: Path, docs: Path) -> None:
    """The kept rows with those in `out`, and what is made of them."""
    lines = kept(NAME, grouped(workers.read_rows(out), ABOUT, "name"), ABOUT, "name")
    write(docs.parent, parts())
    write_figure(lines, docs / "density_weight.png")
    write_picture(out, [*TASKS], docs / "partially_blind.png")


def ordered(lines: list[Row], methods: tuple[str, ...], tasks: list[str]) -> list[Row]:
    forms = ("", "hinge", "no hinge", "off")
    places = [(tasks.index(row["task"]), methods.index(row["method"]), forms.index(row["density"])) for row in lines]
    return [
        lines[i]
        for i in sorted(range(len(lines)), key=lambda i: (*places[i], lines[i]["settings"].get("density") or 0))
    ]


def paired(row: Row, other: Row) -> np.ndarray:
    """Differences in PSNR on the photographs that both have."""
    first, second = (dict(zip(one["name"], one["psnr"], strict=True)) for one in (row, other))
    return np.array([first[name] - second[name] for name in first if name in second])


def compared(differences: np.ndarray) -> str:
    """Their mean, and its interval where there are enough of them."""
    return interval(differences, 2) if len(differences) >= ENOUGH else f"{differences.mean():+.2f}"


def whole(lines: list[Row], methods: tuple[str, ...], tasks: list[str]) -> list[str]:
    """What operator and density are worth, and a line for each row."""
    cells = []
    for row in ordered(lines, methods, tasks):
        weight = row["settings"].get("density")
        density = "" if not row["density"] else "off" if weight is None else f"{weight:.0e}, {row['density']}"
        twin = default(lines, row["task"], row["method"], "off") if weight is not None else None
        cells.append([row["task"], row["method"], density, str(len(row["name"])), mean(row, "input", ".2f")])
        cells[-1] += [mean(row, "psnr", ".2f"), compared(np.subtract(row["psnr"], row["input"])), difference(row, twin)]
        parameters = [f"{name} {parameter(row, name)}" for name in PARAMETERS if name in row]
        cells[-1] += [mean(row, "ssim", ".3f"), ", ".join(parameters), mean(row, "untypical", ".1f")]
        cells[-1] += [mean(row, "rank", ".2f"), mean(row, "evaluations", ".0f")]
    head = ["task", "method", "density", "photographs", "input", "PSNR", "gain", "of which by the density", "SSIM"]
    return [*worth(lines, tasks), *table([*head, "operator", "untypical", "rank", "evaluations"], cells)]


def worth(lines: list[Row], tasks: list[str]) -> list[str]:
    """Paired differences of the default from its twins."""
    cells = []
    for task in tasks:
        ours = default(lines, task, "partially blind", "hinge")
        if ours is not None:
            twins = {
                name: default(lines, task, *about)
                for name, about in (("fixed", BRIEF["operator fixed"]), ("known", BRIEF["operator known"]))
            }
            twins |= {form: default(lines, task, "partially blind", form) for form in ("off", "no hinge")}
            known = twins["known"] and difference(twins["known"], ours)
            others = [difference(ours, twins[name]) for name in ("fixed", "off", "no hinge")]
            cells.append([task, str(len(ours["name"])), others[0], known or "", *others[1:]])
    head = ["task", "photographs", "operator found, over fixed", "known, over found", "density, over none"]
    return table([*head, "hinge, over none"], cells)


def difference(row: Row, other: Row | None) -> str:
    """Of their PSNR, paired; empty where there is no other."""
    return "" if other is None else compared(paired(row, other))


def mean(row: Row, key: str, form: str) -> str:
    return format(np.mean(row[key]), form) if key in row else ""


def parameter(row: Row, name: str) -> str:
    """From where it started to what was found."""
    return f"{mean(row, f'{name} at the start', '.3f')} → {mean(row, name, '.3f')}"


def default(lines: list[Row], task: str, method: str, density: str) -> Row | None:
    """The line of a method; of those that differ in their weight alone, the prior's own, which has most photographs."""
    group = [row for row in lines if (row["task"], row["method"], row["density"]) == (task, method, density)]
    return max(group, key=lambda row: len(row["name"]), default=None)


def brief(lines: list[Row], tasks: list[str]) -> list[str]:
    """A few columns, of photographs that all of them have."""
    cells = []
    for task in tasks:
        rows = [default(lines, task, *about) for about in BRIEF.values()]
        measured = [row for row in rows if row is not None]
        if not measured:
            continue
        common = [name for name in measured[0]["name"] if all(name in row["name"] for row in measured)]
        cells.append([task, str(len(common)), f"{on(measured[0], 'input', common):.2f}"])
        cells[-1] += ["" if row is None else f"{on(row, 'psnr', common):.2f}" for row in rows]
    return table(["task", "photographs", "input", *BRIEF], cells)


def on(row: Row, key: str, names: list[str]) -> float:
    """The mean of a score over some photographs."""
    return float(np.mean([row[key][row["name"].index(name)] for name in names]))


def write_figure(lines: list[Row], path: Path) -> None:
    """What the density objective changes, and the terms of the noise that is found, over its weight."""
    from matplotlib.figure import Figure

    swept = [row for row in lines if (row["task"], row["method"]) == ("motion", "partially blind")]
    without = next((row for row in swept if row["density"] == "off"), None)
    if without is None:
        return
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    right = axes.twinx()
    names = min((row["name"] for row in swept), key=len)  # those that all weights have
    for form, colour in (("hinge", "tab:blue"), ("no hinge", "tab:orange")):
        rows = sorted((row for row in swept if row["density"] == form), key=lambda row: row["settings"]["density"])
        weights = [row["settings"]["density"] for row in rows]
        gains = [on(row, "psnr", names) - on(without, "psnr", names) for row in rows]
        axes.plot(weights, gains, "o-", color=colour, label=form)
        right.plot(weights, [on(row, "untypical", names) for row in rows], "x--", color=colour)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set(xscale="log", xlabel="weight of the density objective", ylabel="PSNR over that without it (dB), solid")
    right.set(yscale="log", ylabel="terms of the noise, their sum (dashed)")
    right.axhline(5, color="grey", linewidth=0.5)
    axes.legend()
    figure.savefig(path, dpi=100)


def picture_name(task: str, method: str, density: str) -> str:
    return f"{task}-{method}-{density or 'none'}.npy"


def write_picture(out: Path, tasks: list[str], path: Path) -> None:
    """A row a task whose images are in `out`: degraded, by the methods of the brief table, the photograph."""
    rows = []
    for task in tasks:
        files = [out / picture_name(task, *about) for about in BRIEF.values()]
        present = [np.load(file) if file.exists() else None for file in files]
        triple = next((one for one in present if one is not None), None)
        if triple is not None:
            columns = [np.ones_like(triple[0]) if one is None else one[1] for one in present]
            rows.append([triple[0], *columns, triple[2]])
    if rows:
        write_rows(path, rows)
