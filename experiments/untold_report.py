"""Rows of `untold.py` as they are kept, and tables, pictures and a blind choice that are made of them."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import untold
import workers
from kept_rows import RESULTS, grouped, kept, read
from report import Parts, interval, table, write, write_rows
from untold import LITERAL
from untold_problems import KEPT_OUT, KINDS, SEEN, TRIED
from untold_variants import VARIANTS
from workers import Row

from jaxrestore.files.images import read_image
from jaxrestore.methods.settings import values_of

ABOUT = ("half", "kind", "method", "settings")
CHOSEN = RESULTS / "untold_choice.json"
SHOWN = 0  # the face of the picture
BETTER = {"psnr": 1, "ssim": 1, "deviation": -1, "features": -1}  # the direction of each
FORMS = {"psnr": ".2f", "ssim": ".3f", "deviation": ".3f", "features": ".2f", "unlikely": ".1f", "sharp": ".3f"}
FORMS |= {"blocks": ".2f"}
NAMES = {"psnr": "PSNR, dB", "ssim": "SSIM", "deviation": "GMSD", "features": "distance of features"}
NAMES |= {"unlikely": "unlikely", "sharp": "sharpness", "blocks": "blockiness"}
CHOICE, LINED_UP = ("noise 30", "JPEG 10", "rain", "raindrops"), (2, 3, 4, 5)  # kinds, and faces of each


def current(rows: list[Row], settings: dict[str, Any]) -> list[Row]:
    """Those that were measured with the settings that `untold.py` has now, a method or variant each."""
    now = json.loads(json.dumps(settings))
    return [row for row in rows if row["method"] in now and row["settings"] == now[row["method"]]]


def methods_now() -> dict[str, Any]:
    """Settings of each method."""
    return {name: one if isinstance(one, dict) else values_of(one) for name, (one, _) in untold.methods().items()}


def by_kinds(rows: list[Row]) -> dict[str, Row]:
    """The literal method's, by kind."""
    return {row["kind"]: row for row in current(rows, methods_now()) if row["method"] == LITERAL}


def variants_now() -> dict[str, Any]:
    """Settings of each variant."""
    return {name: values_of(variant.settings) for name, variant in VARIANTS.items()}


def change(row: Row, score: str) -> str:
    """Means before and after."""
    return f"{np.mean(row[score + ' of the input']):{FORMS[score]}} → {np.mean(row[score]):{FORMS[score]}}"


def gains(row: Row, score: str) -> np.ndarray:
    return BETTER[score] * np.subtract(row[score], row[f"{score} of the input"])


def literally(rows: list[Row]) -> list[str]:
    """The method against its input, a line a kind; and of how many kinds it is better."""
    head = ["", "faces", *(NAMES[score] for score in FORMS), "gain, dB", "again, dB", "evaluations"]
    by_kind, body = by_kinds(rows), []
    for kind in (kind for kind in KINDS if kind in by_kind):
        row = by_kind[kind]
        clean = kind == "clean"
        scores = [f"{np.mean(row[score]):{FORMS[score]}}" if clean else change(row, score) for score in FORMS]
        again = f"{np.mean(row['again']):.1f}" if row.get("again") else ""
        about = ["" if clean else interval(gains(row, "psnr"), 2), again, f"{np.mean(row['evaluations']):.0f}"]
        body.append([kind + " (kept out)" * (kind in KEPT_OUT), str(len(row["face"])), *scores, *about])
    lines = table(head, body)
    for name, kinds in (("looked at while the method was made", SEEN), ("kept out", KEPT_OUT)):
        here = [by_kind[kind] for kind in kinds if kind in by_kind and kind != "clean"]
        counts = [f"{NAMES[score]} of {sum(gains(row, score).mean() > 0 for row in here)}" for score in BETTER]
        lines += ["", f"Of {len(here)} kinds {name}, better on average than the input: {', '.join(counts)}."]
    return lines


def brief(rows: list[Row]) -> list[str]:
    """The lines of it in `docs/expectations.md`."""
    by_kind = by_kinds(rows)
    body = [
        [kind, *(change(by_kind[kind], score) for score in ("psnr", "deviation", "features"))]
        for kind in KINDS
        if kind in by_kind and kind != "clean"
    ]
    return table(["", *(NAMES[score] for score in ("psnr", "deviation", "features"))], body)


def compared(rows: list[Row]) -> list[str]:
    """Methods side by side, a table a score; the best of each line in bold."""
    rows = current(rows, methods_now())
    methods = [name for name in methods_now() if any(row["method"] == name for row in rows)]
    found = {(row["kind"], row["method"]): row for row in rows}
    lines = []
    for score, direction in BETTER.items():
        body = []
        for kind in (kind for kind in KINDS if (kind, LITERAL) in found and kind != "clean"):
            values = {"input": np.mean(found[kind, LITERAL][f"{score} of the input"])}
            values |= {name: np.mean(found[kind, name][score]) for name in methods if (kind, name) in found}
            best = max(values, key=lambda name: direction * values[name])
            cells = []
            for name in ("input", *methods):
                text = f"{values[name]:{FORMS[score]}}" if name in values else ""
                text = f"**{text}**" if name == best else text
                few = name in values and name != "input" and len(found[kind, name]["face"]) < 16
                cells.append(f"{text} ({len(found[kind, name]['face'])})" if few else text)
            body.append([kind, *cells])
        lines += ["", f"{NAMES[score]}:", *table(["", "input", *methods], body)]
    costs = []
    for name in methods:
        here = [row for row in rows if row["method"] == name]
        seconds = np.mean([np.mean(row["seconds"]) for row in here])
        mean = np.mean([np.mean(row["evaluations"]) for row in here])
        costs.append([name, f"{mean:.0f}", f"{seconds:.1f} ({here[0]['device']})"])
    return [*lines, "", "What a face costs:", *table(["", "evaluations", "seconds"], costs)]


def tried(rows: list[Row]) -> list[str]:
    """Variants, a line each: PSNR of every kind, and means over the kinds but "clean"."""
    rows = current(rows, variants_now())
    order = [name for name in VARIANTS if any(row["method"] == name for row in rows)]
    found = {(row["kind"], row["method"]): row for row in rows}
    ruined = [kind for kind in TRIED if kind != "clean"]

    def cells(value: Callable[[Row, str], float], name: str) -> list[str]:
        every = [f"{value(found[kind, name], 'psnr'):.2f}" if (kind, name) in found else "" for kind in TRIED]
        here = [found[kind, name] for kind in ruined if (kind, name) in found]
        means = [
            f"{np.mean([value(row, score) for row in here]):{FORMS[score]}}" for score in ("deviation", "features")
        ]
        return [*every, *means]

    first = order[0]
    body = [["input", *cells(lambda row, score: float(np.mean(row[f"{score} of the input"])), first), ""]]
    body[0][1 + TRIED.index("clean")] = ""
    for name in order:
        evaluations = np.mean([np.mean(row["evaluations"]) for row in rows if row["method"] == name])
        body.append([name, *cells(lambda row, score: float(np.mean(row[score])), name), f"{evaluations:.0f}"])
    counts = sorted({len(row["face"]) for row in found.values()})
    return [
        *table(["", *TRIED, "GMSD", "distance of features", "evaluations"], body),
        "",
        f"Of {' or '.join(map(str, counts))} faces each.",
    ]


def place(options: argparse.Namespace, kind: str, method: str, face: int) -> Path:
    return options.out / untold.picture({"half": "test", "kind": kind, "method": method, "face": face})


def column(options: argparse.Namespace, kind: str, methods: list[str], face: int) -> list[np.ndarray]:
    """The face, ruined, and restored by each method; white where there is no picture."""
    paths = [place(options, kind, name, face) for name in ("input", *methods)]
    clean = np.load(options.out / "test.npy")[face].astype(np.float32) / 127.5 - 1
    return [clean, *(read_image(path) if path.exists() else np.ones_like(clean) for path in paths)]


def choice(options: argparse.Namespace) -> None:
    """Pictures laid out without their makers, four faces a kind: `docs/untold_choice.png`, and who is who beside the rows."""
    draw, rows, key = np.random.default_rng(0), [], []
    for kind in CHOICE:
        for face in LINED_UP:
            there = [name for name in options.laid_out if place(options, kind, name, face).exists()]
            order = [there[index] for index in draw.permutation(len(there))]
            rows.append([read_image(place(options, kind, name, face)) for name in order])
            key.append({"kind": kind, "face": face, "order": order})
    write_rows(options.docs / "untold_choice.png", rows)
    CHOSEN.write_text(json.dumps(key, indent=1) + "\n")


def chosen(key: list[Row]) -> list[str]:
    """How often each was called the best and the worst, of the lines on which its maker looked at it without a name."""
    names = list(dict.fromkeys(name for line in key for name in line["order"]))
    body = [
        [name, *(str(sum(line["order"][line[which] - 1] == name for line in key)) for which in ("best", "worst"))]
        for name in names
    ]
    return [*table(["", "best", "worst"], body), "", f"Of {len(key)} lines."]


def parts() -> Parts:
    """Of the kept rows, what the documents have of them; of the blind choice, once it was made."""
    document, test = "docs/invert2restore.md", read("untold")
    made = {(document, "literally"): literally(test), (document, "compared"): compared(test)}
    made |= {(document, "tried"): tried(read("untold_tuning")), ("docs/expectations.md", "told nothing"): brief(test)}
    key = json.loads(CHOSEN.read_text()) if CHOSEN.exists() else []
    if key and all("best" in line for line in key):
        made[document, "chosen"] = chosen(key)
    return made


def report(options: argparse.Namespace) -> None:
    """The kept rows, the documents between their markers, and the picture."""
    rows = grouped(workers.read_rows(options.out), ABOUT, "face", ("device",))
    test = kept("untold", [row for row in rows if row["half"] == "test"], ABOUT, "face")
    kept("untold_tuning", [row for row in rows if row["half"] == "tuning"], ABOUT, "face")
    write(options.docs.parent, parts())
    methods = [name for name in methods_now() if sum(row["method"] == name for row in test) > len(KINDS) / 2]
    blocks = [column(options, kind, methods, SHOWN) for kind in KINDS]
    write_rows(options.docs / "untold.png", [list(row) for row in zip(*blocks, strict=True)])
