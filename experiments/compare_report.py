"""Rows of `compare.py` as JSON lines that are kept, and tables and pictures of `docs/compare.md`, of these lines alone."""

from pathlib import Path
from typing import Any

import numpy as np
import workers
from compare import ALL, TUNED_AT, picture, pictures, ruined
from compare_contestants import CONTESTANTS
from faces_problems import SEEDS, shown
from kept_rows import grouped, kept, read
from report import Parts, interval, table, write_rows
from report import write as put
from report_page import Compared, write_page
from workers import Row

import jaxrestore as jr
from jaxrestore.files.images import read_image

ABOUT = ("prior", "half", "problem", "method", "budget", "value", "settings", "count")
SHARED = ("evaluations", "device")
WORDS = {
    "noise": "White noise of 30 grey levels",
    "box": "A missing box",
    "reduction": "8x reduction",
    "known blur": "A Gaussian blur that is told, and noise of 2 grey levels",
    "blur": "The same, unknown",
    "motion": "Unknown motion blur, and noise of 2 grey levels",
    "jpeg": "JPEG of quality 10",
}
COLUMNS = 3  # images of each problem in the pictures


def budgets(rows: list[Row]) -> list[int]:
    return sorted({row["budget"] for row in rows})


def cell(row: Row | None) -> str:
    """PSNR, GMSD, and the distance of features where it was measured."""
    if row is None:
        return ""
    features = f", {np.mean(row['features']):.2f}" if row.get("features") else ""
    return f"{np.mean(row['psnr']):.2f}, {np.mean(row['deviation']):.3f}{features}"


def of_problem(rows: list[Row]) -> list[str]:
    """A line a method, a column a budget; then who is first at each, and by how much ours is ahead or behind."""
    asked = budgets(rows)
    found = {(row["method"], row["budget"]): row for row in rows}
    first = rows[0]
    about = f"{np.mean(first['psnr of the input']):.2f}, {np.mean(first['deviation of the input']):.3f}"
    body = [["input", "", *([about] * len(asked))]]
    for name in CONTESTANTS:
        here = [found.get((name, budget)) for budget in asked]
        if any(here):
            value = next(f"{CONTESTANTS[name].number} {row['value']:g}" for row in here if row)
            body.append([name, value, *map(cell, here)])
    lines, said = table(["", "number", *(f"{budget} evaluations" for budget in asked)], body), verdicts(found, asked)
    return [*lines, "", *said] if said else lines


def verdicts(found: dict[tuple[str, int], Row], asked: list[int]) -> list[str]:
    """At each budget the best of ours against the best of the others, by PSNR and by GMSD, paired by image."""
    lines = []
    for budget in asked:
        here = {name: row for (name, at), row in found.items() if at == budget}
        sides = [[name for name in here if CONTESTANTS[name].ours is ours] for ours in (True, False)]
        if not all(sides):
            continue
        texts = []
        for score, words, sign, digits in (("psnr", "PSNR", 1, 2), ("deviation", "GMSD", -1, 4)):
            ours, other = (max(side, key=lambda name: sign * np.mean(here[name][score])) for side in sides)
            pair = [dict(zip(here[name]["image"], here[name][score], strict=True)) for name in (ours, other)]
            difference = np.array([pair[0][image] - pair[1][image] for image in pair[0] if image in pair[1]])
            texts.append(f"{words} {ours} against {other} {interval(difference, digits)}")
        lines.append(f"- {budget} evaluations: {'; '.join(texts)}")
    return lines


def figure(path: Path, rows: list[Row]) -> None:
    """Quality against evaluations: a column a problem, PSNR above and GMSD below, a line a method."""
    from matplotlib.figure import Figure

    problems = [name for name in ALL if any(row["problem"] == name for row in rows)]
    drawing = Figure(figsize=(3.2 * len(problems), 6.4), layout="constrained")
    axes = drawing.subplots(2, len(problems), squeeze=False)
    colours = dict(zip(CONTESTANTS, [f"C{index}" for index in range(10)] * 3, strict=False))
    lines: dict[str, Any] = {}
    for column, problem in enumerate(problems):
        here = [row for row in rows if row["problem"] == problem]
        for axis, score, words in zip(axes[:, column], ("psnr", "deviation"), ("PSNR, dB", "GMSD"), strict=True):
            for name in CONTESTANTS:
                points = sorted((row["evaluations"], np.mean(row[score])) for row in here if row["method"] == name)
                if points:
                    style = "-" if CONTESTANTS[name].ours else "--"
                    index = list(CONTESTANTS).index(name)
                    (lines[name],) = axis.plot(
                        *zip(*points, strict=True), style, marker="os^vD"[index // 4 % 5], ms=4, color=colours[name]
                    )
            axis.axhline(np.mean(here[0][f"{score} of the input"]), color="0.6", lw=0.8)
            axis.set_xscale("log")
            axis.set_ylabel(words if column == 0 else "")
        axes[0, column].set_title(WORDS[problem].split(",")[0], fontsize=9)
        axes[1, column].set_xlabel("network evaluations")
    drawing.legend(lines.values(), lines, loc="outside lower center", ncols=6, fontsize=8)
    drawing.savefig(path, dpi=80)


def sheet(options: Any, prior: jr.Prior, rows: list[Row], path: Path) -> None:
    """Images, what became of them, and what each method made of that at the budget of the tuning: a block of columns a
    problem."""
    images = pictures(options, prior, "test", rows[0]["count"])[:COLUMNS]
    blank = np.ones_like(images[0])
    at = {(row["problem"], row["method"]): row for row in rows if row["budget"] == TUNED_AT}
    methods, columns = pictured(rows), []
    for problem in (name for name in ALL if any(one == name for one, _ in at)):
        for index, image in enumerate(images):
            column = [image, shown(ruined(problem, image, SEEDS["test"] + index))]
            for method in methods:
                row = at.get((problem, method))
                place = options.out / picture({**row, "image": index}) if row else None
                column.append(read_image(place) if place is not None and place.exists() else blank)
            columns.append(column)
    write_rows(path, [list(row) for row in zip(*columns, strict=True)])


def pairs_of(options: Any, prior: jr.Prior, rows: list[Row]) -> list[Compared]:
    """Of each problem the first image, before and after each method, for the page."""
    image = pictures(options, prior, "test", rows[0]["count"])[0]
    pairs = []
    for row in (row for row in rows if row["budget"] == TUNED_AT):
        place = options.out / picture({**row, "image": 0})
        if place.exists():
            seen = shown(ruined(row["problem"], image, SEEDS["test"]))
            pairs.append(Compared(WORDS[row["problem"]], ("degraded", row["method"]), seen, read_image(place), image))
    return pairs


def lines(rows: list[Row]) -> list[str]:
    """The part of one prior's rows."""
    counts = sorted({len(row["image"]) for row in rows})
    about = "PSNR in dB, GMSD and the distance in the features of EfficientNet-Lite0 (of both less is better)"
    made = ["", f"{' or '.join(map(str, counts))} images a point; {about}."]
    for problem, words in WORDS.items():
        if here := [row for row in rows if row["problem"] == problem]:
            made += ["", f"### {words}", *of_problem(here)]
    prior, shown_here = rows[0]["prior"], ", ".join(pictured(rows))
    made += ["", f"![Quality against network evaluations, a column a problem](compare-{prior}.png)", ""]
    made += [
        f"Three images a problem, in the order of the tables; {TUNED_AT} evaluations. Rows: clean, degraded, {shown_here}."
    ]
    return [*made, "", f"![Images restored by each method](compare-{prior}-pictures.png)"]


def pictured(rows: list[Row]) -> list[str]:
    """The methods of the pictures."""
    return [name for name in CONTESTANTS if any(row["method"] == name and row["budget"] == TUNED_AT for row in rows)]


def restored(prior: str) -> list[Row]:
    """The kept rows of a prior's test images."""
    return [row for row in read("compare") if row["prior"] == prior]


def parts() -> Parts:
    """The document's tables, of the kept rows."""
    priors = dict.fromkeys(row["prior"] for row in read("compare"))
    return {("docs/compare.md", prior): lines(restored(prior)) for prior in priors}


def write(options: Any) -> None:
    """The kept rows, their part of the document, and the prior's figure and pictures."""
    prior = jr.load_prior(options.prior)
    found = grouped(workers.read_rows(options.out), ABOUT, "image", SHARED)
    kept("compare", [row for row in found if row["half"] == "test"], ABOUT, "image")
    kept("compare_tuning", [row for row in found if row["half"] == "tuning"], ABOUT, "image")
    put(options.docs.parent, parts())
    rows = restored(prior.name)
    figure(options.docs / f"compare-{prior.name}.png", rows)
    sheet(options, prior, rows, options.docs / f"compare-{prior.name}-pictures.png")
    write_page(options.out, f"Methods compared, {prior.name}", lines(rows), pairs_of(options, prior, rows))
