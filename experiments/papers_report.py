"""A table of `papers.py` of its rows alone, with the paper's own figures from `papers_printed.json` beside."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from papers_tables import TABLES
from report import table
from workers import Row

PRINTED = Path(__file__).parent / "papers_printed.json"
COLUMNS = {
    "psnr": ("PSNR, dB", ".2f"),
    "ssim": ("SSIM", ".3f"),
    "lpips": ("LPIPS", ".3f"),
    "fid": ("FID", ".2f"),
    "gradient_deviation": ("GMSD", ".3f"),
    "musiq": ("MUSIQ", ".2f"),
    "identity": ("IDS", ".3f"),
    "blockiness": ("blockiness", ".2f"),
    "sharpness": ("sharpness", ".4f"),
    "memory": ("GiB", ".2f"),
    "seconds": ("s/image", ".3g"),
    "milliseconds": ("ms/iteration", ".3g"),
}
LEAST = ("seconds", "milliseconds")  # the others may hold compilation


def of_plan(rows: list[Row], plan: list[Row]) -> list[Row]:
    """The rows of planned settings on planned images, and those of folders and of sets on the same ones."""
    settings = {(entry["task"], entry["method"]): json.dumps(entry["settings"], sort_keys=True) for entry in plan}
    images = {task: [entry["image"] for entry in plan if entry["task"] == task] for task, _ in settings}

    def is_of_it(row: Row) -> bool:
        own = settings.get((row["task"], row["method"]))
        if own is None and "folder" not in row["settings"]:
            return False
        if own is not None and own != json.dumps(row["settings"], sort_keys=True):
            return False
        here = images.get(row["task"], [])
        return set(row["images"]) == set(here) if row["image"] == "" else row["image"] in here

    return [row for row in rows if is_of_it(row)]


def value(rows: list[Row], column: str) -> float | None:
    """The mean of a column over a row's images, of a time the least; None where it isn't measured."""
    values = [row[column] for row in rows if row.get(column) is not None]
    return None if not values else float(min(values) if column in LEAST else np.mean(values))


def said(number: float | None, column: str) -> str:
    """With as many digits as its column has, a time of hundreds without any behind the point; nothing of what isn't there."""
    if number is None:
        return ""
    return format(number, ".0f" if column in LEAST and number >= 100 else COLUMNS[column][1])


def document(name: str, rows: list[Row], failures: Sequence[str], size: str) -> list[str]:
    """Markdown: a table a task, ours before what the paper prints."""
    printed = json.loads(PRINTED.read_text()).get(name, {"rows": {}})
    tried = "; a trial of two iterations, whose scores say nothing" if size == "smoke" else ""
    lines = [f"# {TABLES[name].title}", "", f"Prior {rows[0]['prior']}, size {size}{tried}."]
    lines += ["", f"Our reading: {TABLES[name].reading}"]
    if "source" in printed:
        lines += ["", f"Printed, of other images: {printed['source']} ({printed['confidence']})."]
    if not any(row.get("lpips") for row in rows):
        lines += ["", "LPIPS and FID are measured where weights are given: --lpips, --inception."]
    for task in dict.fromkeys(row["task"] for row in rows):
        lines += ["", f"## {task}", *of_task([row for row in rows if row["task"] == task], printed, task)]
    if failures:
        lines += ["", "Not measured:", "", *(f"- {sentence}" for sentence in failures)]
    return [*lines, ""]


def of_task(rows: list[Row], printed: Row, task: str) -> list[str]:
    """The lines of a task: columns that some row has."""
    theirs = {
        f"{name}, printed": dict(zip(printed["columns"], values, strict=True))
        for name, values in printed["rows"].get(task, {}).items()
    }
    groups = {
        method: [row for row in rows if row["method"] == method] for method in dict.fromkeys(r["method"] for r in rows)
    }
    cells = {method: {column: value(group, column) for column in COLUMNS} for method, group in groups.items()} | theirs
    columns = [column for column in COLUMNS if any(row.get(column) is not None for row in cells.values())]
    body = []
    for method, row in cells.items():
        shown = [said(row.get(column), column) for column in columns]
        count = len({row["image"] for row in groups.get(method, []) if row["image"]})
        body.append([method, str(count or ""), *shown])
    return table(["", "images", *(COLUMNS[column][0] for column in columns)], body)
