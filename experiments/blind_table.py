"""Fully blind restoration on photographs of the test half, by one setting for all degradations, against every control.

    pip install bm3d
    python experiments/blind_table.py --data eval.tar

BM3D is the classical control: it is told as little, and takes for the noise's deviation what `estimate_sigma_y` says. Keeps
its rows in `experiments/results/blind.jsonl`, and makes of them the tables between the marks of `docs/invert2restore.md` and
`docs/expectations.md`, and `docs/blind.png`. Sixteen photographs take half an hour on two cores; `--method` measures some
methods alone; resumes. To expect: Invert2Restore above its input in every row but the clean one, by 10 dB for noise, 2 dB for
rain, 0.8 dB for a codec and 0.1 dB for a blur; DIIP below it in all.
"""

import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import blind
import flowers
import jax.numpy as jnp
import kept_rows
import numpy as np
import workers
from classical_filters import bm3d_denoised
from report import Parts, interval, table, write, write_rows
from workers import Row

from jaxrestore.metrics import estimate_sigma_y, gradient_deviation

METHODS = ("BM3D", *blind.METHODS)
ROWS = ("input", *METHODS)
ABOUT = ("kind", "method")


def planned(prior: Any, names: Sequence[str], methods: Sequence[str] = ROWS) -> list[Row]:
    """Every method on every photograph of all kinds."""
    settings: Row = {"input": {}, "BM3D": {"factor": 1.0}}
    settings |= {method: blind.settings(method, prior) for method in blind.METHODS}
    return [
        {"kind": kind, "method": method, "names": [*names], "first seed": blind.TEST, "settings": settings[method]}
        for kind, method in product(blind.KINDS, methods)
    ]


def measure(plan: list[Row], images: dict[str, np.ndarray], prior: Any, out: Path, worker: int) -> None:
    """The rows of a plan, but what `out` holds already."""
    workers.keep_programs(out)
    clean = np.stack(list(images.values()))
    for entry in workers.unmeasured(plan, out):
        kind, method = entry["kind"], entry["method"]
        y = blind.degraded(kind, clean, blind.TEST)
        restored, evaluations, seconds = y, np.zeros(len(y), int), 0.0
        if method == "BM3D":
            began = time.perf_counter()
            restored = np.stack([denoised(image) for image in y])
            seconds = (time.perf_counter() - began) / len(y)
        elif method != "input":
            restored, evaluations, seconds = blind.restored(method, prior, y)
        psnr, ssim = blind.scores(restored, clean)
        gmsd = np.asarray(gradient_deviation(jnp.asarray(restored), jnp.asarray(clean)))
        row = {**entry, "psnr": psnr, "ssim": ssim, "gmsd": gmsd.round(4).tolist()}
        row |= {"evaluations": evaluations.tolist(), "seconds": round(seconds, 3)}
        workers.append(out / f"results-{worker}.jsonl", row)
        if method == "Invert2Restore":
            np.save(out / f"{kind}.npy", np.stack([y, restored, clean], axis=1)[:4])


def denoised(image: np.ndarray) -> np.ndarray:
    """By BM3D, told nothing; what it is given and gives are as files hold them."""
    deviation = float(estimate_sigma_y(jnp.asarray(image)))
    return np.clip(bm3d_denoised(image, deviation), -1, 1).astype(np.float32)


def report(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    """The whole table, and the few lines of it in `docs/expectations.md`. Pure."""
    by_name = {(row["kind"], row["method"]): row for row in rows}

    def mean(kind: str, method: str, key: str = "psnr", digits: int = 2) -> str:
        return f"{np.mean(by_name[kind, method][key]):.{digits}f}"

    cells, brief = [], []
    for kind in blind.KINDS:
        ours, given = by_name[kind, "Invert2Restore"], by_name[kind, "input"]
        best = max(METHODS, key=lambda method: np.mean(by_name[kind, method]["psnr"]))
        gains = np.subtract(ours["psnr"], given["psnr"])
        pairs = [[mean(kind, name, key, 3) for name in ("input", "Invert2Restore")] for key in ("ssim", "gmsd")]
        least = f"{gains.min():+.2f}" if kind != "clean" else f"{min(ours['psnr']):.2f} dB left"
        values = [f"**{mean(kind, method)}**" if method == best else mean(kind, method) for method in ROWS]
        cells.append(
            [
                kind,
                *values,
                *(" → ".join(pair) for pair in pairs),
                least,
                mean(kind, "Invert2Restore", "evaluations", 0),
            ]
        )
        over = interval(np.subtract(ours["psnr"], by_name[kind, "BM3D"]["psnr"]), 2)
        quality = " → ".join(mean(kind, method, "gmsd", 3) for method in ("input", "BM3D", "Invert2Restore"))
        brief.append(
            [kind, str(len(ours["names"])), *(mean(kind, name) for name in ("input", "BM3D", "Invert2Restore"))]
        )
        brief[-1] += [over, quality, mean(kind, "DIIP")]
    head = ["", *ROWS, "SSIM", "GMSD", "least gain", "evaluations"]
    few = ["degradation", "images", "input", "BM3D", "Invert2Restore", "over BM3D, 95 % interval"]
    return table(head, cells), table([*few, "GMSD: input → BM3D → Invert2Restore", "DIIP"], brief)


def parts() -> Parts:
    """Both tables, of the kept rows."""
    whole, brief = report(kept_rows.read("blind"))
    return {("docs/invert2restore.md", "blind"): whole, ("docs/expectations.md", "blind"): brief}


def write_picture(out: Path, path: Path) -> None:
    """A row a degradation; two photographs, each degraded, restored, clean."""
    shown = [np.load(out / f"{kind}.npy")[:2] for kind in blind.KINDS[1:]]
    write_rows(path, [[image for photograph in row for image in photograph] for row in shown])


def main() -> None:
    parser = workers.parser(__doc__, "out/blind_table")
    parser.add_argument("--count", type=int, default=16, help="photographs")
    parser.add_argument("--method", nargs="+", choices=ROWS, default=ROWS, help="some of the methods")
    options = parser.parse_args()
    images = flowers.photographs(options.data, "test", options.count)
    prior = flowers.prior()
    plan = planned(prior, list(images), options.method)

    def work(index: int) -> None:
        measure(plan[index :: options.workers], images, prior, options.out, index)

    workers.in_workers(work, options.out, options.workers)
    rows = kept_rows.kept("blind", workers.complete(plan, options.out), ABOUT, "names")
    missing = {(kind, method) for kind, method in product(blind.KINDS, ROWS)} - {
        (row["kind"], row["method"]) for row in rows
    }
    if missing:
        raise SystemExit(
            f"The tables wait for {', '.join(sorted({method for _, method in missing}))}: run with --method."
        )
    write(options.docs.parent, parts())
    write_picture(options.out, options.docs / "blind.png")


if __name__ == "__main__":
    main()
