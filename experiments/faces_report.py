"""Rows of `faces.py` as JSON lines that are kept, and the document and the picture that are made of them alone."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import workers
from kept_rows import grouped, kept, read
from report import Parts, interval, table, write_rows
from report import write as put
from report_page import Compared, write_page
from workers import Row

from jaxrestore.files.images import read_image

SCORES = ("psnr", "ssim", "deviation", "unlikely")
HEAD = ["PSNR, dB", "SSIM", "GMSD", "unlikely"]
FORMS = (".2f", ".3f", ".3f", ".1f")
PROBLEMS = {
    "noise": "White noise of 30 grey levels",
    "box": "A missing box over the eyes",
    "reduction": "8x reduction",
    "reduction16": "16x reduction: 4 x 4 pixels",
    "pixels5": "5 % of the pixels",
    "pixels1": "1 % of the pixels",
    "grey": "Brightness alone",
    "blur": "Unknown Gaussian blur",
    "jpeg": "JPEG of quality 10",
}
METHODS = {
    "bird": "BIRD",
    "shred": "SHRED",
    "invert2restore": "Invert2Restore",
    "invert2restore-literal": "Invert2Restore, told nothing",
}
ABOUT = ("half", "problem", "method", "label", "settings")
SHOWN = 4  # faces in the picture, and the best settings in a table of what was tried


def cells(row: Row, suffix: str = "") -> list[str]:
    return [format(np.mean(row[name + suffix]), form) for name, form in zip(SCORES, FORMS, strict=True)]


def gain(row: Row) -> str:
    """Mean gain over the input in dB, and its interval where it is of eight faces or more."""
    difference = np.subtract(row["psnr"], row["psnr of the input"])
    return f"{difference.mean():+.2f}" if len(difference) < 8 else interval(difference, 2)


def restored(rows: list[Row]) -> list[str]:
    """A table a problem."""
    lines = []
    for problem, words in PROBLEMS.items():
        group = [row for row in rows if row["problem"] == problem]
        if not group:
            continue
        most = max(group, key=lambda row: len(row["face"]))
        body = [["input", str(len(most["face"])), *cells(most, " of the input"), "", "", ""]]
        for row in sorted(group, key=lambda row: list(METHODS).index(row["method"])):
            seconds, device = np.mean(row["seconds"]), row["device"]
            about = [gain(row), str(row["evaluations"]), f"{seconds:.0f} ({device}, {row['batch']} at once)"]
            body.append([METHODS[row["method"]], str(len(row["face"])), *cells(row), *about])
        lines += ["", f"### {words}", *table(["", "faces", *HEAD, "gain, dB", "evaluations", "seconds"], body)]
    return lines


def tried(rows: list[Row]) -> list[str]:
    """Of each problem and method the settings of the best means."""
    lines = []
    for problem, words in PROBLEMS.items():
        body = []
        for method, name in METHODS.items():
            group = [row for row in rows if (row["problem"], row["method"]) == (problem, method)]
            best = sorted(group, key=lambda row: -np.mean(row["psnr"]))[:SHOWN]
            body += [[name, row["label"], str(len(row["face"])), *cells(row), str(row["evaluations"])] for row in best]
        if body:
            first = next(row for row in rows if row["problem"] == problem)
            body = [["", "input", str(len(first["face"])), *cells(first, " of the input"), ""], *body]
            lines += ["", f"### {words}: tried", *table(["", "settings", "faces", *HEAD, "evaluations"], body)]
    return lines


def place(options: argparse.Namespace, name: str, method: str, face: int) -> Path:
    return options.out / "images" / "test" / name / method / "its_own" / f"{face}.png"


def drawn(options: argparse.Namespace) -> np.ndarray:
    """The faces of the test."""
    return np.load(options.out / "test.npy").astype(np.float32) / 127.5 - 1


def pairs_of(options: argparse.Namespace) -> list[Compared]:
    """Of each problem the first face, before and after each method, for the page."""
    from faces_problems import SEEDS, problem, shown

    face, pairs = drawn(options)[0], []
    for name, words in PROBLEMS.items():
        for method in (method for method in METHODS if place(options, name, method, 0).exists()):
            after = read_image(place(options, name, method, 0))
            seen = shown(problem(name, face, SEEDS["test"]))
            pairs.append(Compared(words, ("degraded", METHODS[method]), seen, after, face))
    return pairs


def picture(options: argparse.Namespace, rows: list[Row]) -> None:
    """Faces, what became of them, and what methods made of that, where of three problems or more: a block of columns each."""
    from faces_problems import SEEDS, problem, shown

    faces = drawn(options)
    methods = [method for method in METHODS if sum(place(options, name, method, 0).exists() for name in PROBLEMS) >= 3]
    blocks = []
    for name in (name for name in PROBLEMS if any(place(options, name, method, 0).exists() for method in methods)):
        for face in range(min(options.shown, len(faces))):
            column = [faces[face], shown(problem(name, faces[face], SEEDS["test"] + face))]
            for method in methods:
                path = place(options, name, method, face)
                column.append(read_image(path) if path.exists() else np.ones_like(faces[0]))
            blocks.append(column)
    write_rows(options.docs / "faces.png", [list(row) for row in zip(*blocks, strict=True)])


def parts() -> Parts:
    """Of the kept rows, all of the document's tables."""
    document = "docs/faces.md"
    return {(document, "restored"): restored(read("faces")), (document, "tried"): tried(read("faces_tuning"))}


def write(options: Any) -> None:
    """The kept rows, `docs/faces.md` between its markers, and the picture."""
    rows = grouped(workers.read_rows(options.out), ABOUT, "face", ("evaluations", "batch", "device"))
    test = kept("faces", [row for row in rows if row["half"] == "test"], ABOUT, "face")
    kept("faces_tuning", [row for row in rows if row["half"] == "tuning"], ABOUT, "face")
    put(options.docs.parent, parts())
    picture(options, test)
    write_page(options.out, "Faces restored", restored(test), pairs_of(options))
