"""The tables of `docs/kernels.md`, of the rows of `kernels.py` alone, and the picture of kernels in its folder."""

from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import read
from report import Parts, interval, table, write_rows
from report import write as put
from report_page import Compared, write_page
from workers import Row

FAILED = 3.0  # Levin's error ratio from which a kernel counts as not found
ENOUGH = 6  # photographs for an interval
SHOWN = 2  # photographs a class in the picture


def folder(row: Row) -> Path:
    """Where the kernels of a row lie, below the folder of results."""
    return Path("kernels", str(row["noise"]), row["method"].replace(" ", "_"), row["kind"].replace(" ", "_"))


def parts() -> Parts:
    """The document's tables, of the kept rows."""
    return {("docs/kernels.md", "kernels"): lines(read("kernels"))}


def write(options: Any) -> None:
    put(options.docs.parent, parts())
    rows = read("kernels")
    pictured(rows, options.out, options.docs / "kernels.png")
    write_page(options.out, "Kernels found", lines(rows), pairs_of(rows, options.out))


def lines(rows: list[Row]) -> list[str]:
    """A table a noise: a line for each class and method of which all three cases are there."""
    text = []
    for noise in sorted({row["noise"] for row in rows}):
        cells = []
        for kind in dict.fromkeys(row["kind"] for row in rows):
            for method in dict.fromkeys(row["method"] for row in rows):
                about = (noise, kind, method)
                cases = {row["kernel"]: row for row in rows if (row["noise"], row["kind"], row["method"]) == about}
                if len(cases) == 3:
                    cells.append([kind, method, *compared(cases)])
        head = ["kernel", "method", "photographs", "similarity, start to found", "input", "start", "found", "true"]
        head += ["found over start", "error ratio, median", "failed"]
        text += ["", f"Noise of {100 * noise:g} % of the range; PSNR in dB:", *table(head, cells)]
    return text


def compared(cases: dict[str, Row]) -> list[str]:
    """The three cases on the photographs that all have."""
    common = [
        number for number in cases["found"]["photograph"] if all(number in row["photograph"] for row in cases.values())
    ]

    def of(case: str, key: str) -> np.ndarray:
        row = cases[case]
        return np.array([row[key][row["photograph"].index(number)] for number in common])

    start, found, true = (of(case, "psnr") for case in ("start", "found", "true"))
    ratio = 10 ** ((true - found) / 10)  # of squared errors
    similarity = f"{of('start', 'similarity').mean():.3f} → {of('found', 'similarity').mean():.3f}"
    gain = interval(found - start, 2) if len(common) >= ENOUGH else f"{(found - start).mean():+.2f}"
    psnrs = [f"{values.mean():.2f}" for values in (of("found", "input"), start, found, true)]
    return [str(len(common)), similarity, *psnrs, gain, f"{np.median(ratio):.2f}", f"{np.sum(ratio > FAILED)}"]


def pictured(rows: list[Row], out: Path, path: Path) -> None:
    """A row a class, of the least noise: true, start, and found by each method, for the first photographs; each kernel by its
    own largest weight."""
    pictures = []
    least = [row for row in rows if row["noise"] == min(row["noise"] for row in rows) and row["kernel"] == "found"]
    methods = list(dict.fromkeys(row["method"] for row in least))
    for kind in dict.fromkeys(row["kind"] for row in least):
        by_method = {row["method"]: out / folder(row) for row in least if row["kind"] == kind}
        strip = []
        for number in range(SHOWN):
            files = [by_method[name] / f"{number}.npz" if name in by_method else None for name in methods]
            found = [np.load(file) if file is not None and file.exists() else None for file in files]
            any_of = next((one for one in found if one is not None), None)
            if any_of is None:
                continue
            strip += [shown(any_of[name]) for name in ("true", "start")]
            strip += [np.ones((60, 60, 3), np.float32) if one is None else shown(one["found"]) for one in found]
        if len(strip) == SHOWN * (2 + len(methods)):
            pictures.append(strip)
    if pictures:
        write_rows(path, pictures)


def pairs_of(rows: list[Row], out: Path) -> list[Compared]:
    """Of each class and noise the first photograph's kernel, as it started and as it was found, for the page."""
    pairs = []
    for row in (row for row in rows if row["kernel"] == "found"):
        file = out / folder(row) / "0.npz"
        if file.exists():
            true, start, found = (shown(np.load(file)[name]) for name in ("true", "start", "found"))
            subject = f"{row['kind']}, noise of {100 * row['noise']:g} %"
            pairs.append(Compared(subject, ("start", row["method"]), start, found, true))
    return pairs


def shown(kernel: np.ndarray) -> np.ndarray:
    """A kernel as a picture ``[60, 60, 3]``, four pixels each weight."""
    margin = (15 - kernel.shape[0]) // 2
    scaled = np.pad(kernel / kernel.max(), margin)
    return np.repeat((2 * scaled - 1).repeat(4, 0).repeat(4, 1)[..., None], 3, axis=2).astype(np.float32)
