"""Fully blind restoration on photographs of the test half, by one setting for all degradations, against every control.

    python experiments/blind_table.py --data eval.tar

Writes the tables between the marks of `docs/invert2restore.md` and `README.md`, and `docs/blind.png`. Twenty photographs take
half an hour on two cores; resumes. To expect: Invert2Restore above its input in every row but the clean one, by 10 dB for
noise, 2 dB for rain, 0.8 dB for a codec and 0.1 dB for a blur; DIIP below it in all.
"""

from pathlib import Path
from typing import Any

import blind
import flowers
import numpy as np
import workers
from report import insert, table, write_rows
from workers import Row

ROWS = ("input", *blind.METHODS)


def planned(prior: Any, kinds: tuple[str, ...], images: dict[str, np.ndarray]) -> list[Row]:
    """Every method on every photograph of these kinds."""
    settings = {"input": {}} | {method: blind.settings(method, prior) for method in blind.METHODS}
    return [
        {"kind": kind, "method": method, "names": list(images), "settings": settings[method]}
        for kind in kinds
        for method in ROWS
    ]


def measure(plan: list[Row], images: dict[str, np.ndarray], prior: Any, out: Path, worker: int) -> None:
    """The rows of a plan, but what `out` holds already."""
    workers.keep_programs(out)
    clean = np.stack(list(images.values()))
    for entry in workers.unmeasured(plan, out):
        kind, method = entry["kind"], entry["method"]
        y = blind.degraded(kind, clean)
        restored, evaluations, seconds = y, np.zeros(len(y), int), 0.0
        if method != "input":
            restored, evaluations, seconds = blind.restored(method, prior, y)
        psnr, ssim = blind.scores(restored, clean)
        row = {**entry, "psnr": psnr, "ssim": ssim}
        row |= {"evaluations": evaluations.tolist(), "seconds": round(seconds, 3)}
        workers.append(out / f"results-{worker}.jsonl", row)
        if method == "Invert2Restore":
            np.save(out / f"{kind}.npy", np.stack([y, restored, clean], axis=1)[:4])


def report(rows: list[Row]) -> tuple[list[str], list[str]]:
    """The whole table, and the README's few lines of it."""
    by_name = {(row["kind"], row["method"]): row for row in rows}

    def mean(kind: str, method: str, key: str = "psnr") -> float:
        return float(np.mean(by_name[kind, method][key]))

    cells, brief = [], []
    for kind in blind.KINDS:
        ours = by_name[kind, "Invert2Restore"]
        best = max(mean(kind, method) for method in blind.METHODS)
        values = [(mean(kind, method), f"{mean(kind, method):.2f}") for method in ROWS]
        gains = np.subtract(ours["psnr"], by_name[kind, "input"]["psnr"])
        ssim = f"{mean(kind, 'input', 'ssim'):.3f} → {mean(kind, 'Invert2Restore', 'ssim'):.3f}"
        least = f"{gains.min():+.2f}" if kind != "clean" else f"{min(ours['psnr']):.2f} dB left"
        cost = f"{np.mean(ours['evaluations']):.0f}"
        cells.append([kind, *(f"**{text}**" if value == best else text for value, text in values), ssim, least, cost])
        gain = f"{gains.mean():+.2f}" if kind != "clean" else ""
        brief.append([kind, values[0][1], values[-1][1], gain, f"{mean(kind, 'DIIP'):.2f}"])
    head = ["", *ROWS, "SSIM", "least gain", "evaluations"]
    return table(head, cells), table(["degradation", "input", "Invert2Restore", "gain", "DIIP"], brief)


def write_picture(out: Path, path: Path) -> None:
    """A row a degradation; two photographs, each degraded, restored, clean."""
    shown = [np.load(out / f"{kind}.npy")[:2] for kind in blind.KINDS[1:]]
    write_rows(path, [[image for photograph in row for image in photograph] for row in shown])


def main() -> None:
    parser = workers.parser(__doc__, "out/blind_table")
    parser.add_argument("--count", type=int, default=20, help="photographs")
    options = parser.parse_args()
    images = flowers.photographs(options.data, "test", options.count)
    prior = flowers.prior()

    def work(index: int) -> None:
        plan = planned(prior, blind.KINDS[index :: options.workers], images)
        measure(plan, images, prior, options.out, index)

    workers.in_workers(work, options.out, options.workers)
    whole, brief = report(workers.complete(planned(prior, blind.KINDS, images), options.out))
    insert(options.docs / "invert2restore.md", "blind", whole)
    insert(options.docs.parent / "README.md", "blind", brief)
    write_picture(options.out, options.docs / "blind.png")


if __name__ == "__main__":
    main()
