"""Fully blind restoration on photographs of the test half, by one setting for all degradations, against every control.

    python experiments/blind_table.py --data eval.tar

Writes the tables between the marks of `docs/invert2restore.md` and `README.md`, and `docs/blind.png`. Twenty photographs take
half an hour on two cores; resumes.
"""

from pathlib import Path

import blind
import flowers
import numpy as np
import workers
from report import insert, table


def measure(kinds: tuple[str, ...], images: dict[str, np.ndarray], out: Path, worker: int) -> None:
    """Every method on every photograph of these kinds, but what `out` holds already."""
    import jax

    import jaxrestore as jr

    jax.config.update("jax_compilation_cache_dir", str((out / "cache").absolute()))
    prior, typical = jr.load_prior("flowers64"), jr.load_typical("flowers64")
    done = {(row["kind"], row["method"], row["count"]) for row in workers.read_rows(out)}
    clean = np.stack(list(images.values()))
    for kind in kinds:
        y = blind.degraded(kind, clean)
        for method in ("input", *blind.METHODS):
            if (kind, method, len(images)) in done:
                continue
            made, evaluations, seconds = y, np.zeros(len(y), int), 0.0
            if method != "input":
                made, evaluations, seconds = blind.restored(method, prior, typical, y)
            psnr, ssim = blind.scores(made, clean)
            row = {"kind": kind, "method": method, "count": len(images), "psnr": psnr, "ssim": ssim}
            row |= {"evaluations": evaluations.tolist(), "seconds": round(seconds, 3)}
            workers.append(out / f"results-{worker}.jsonl", row)
            if method == "Invert2Restore":
                np.save(out / f"{kind}.npy", np.stack([y, made, clean], axis=1)[:4])


def report(rows: list[dict]) -> tuple[list[str], list[str]]:
    """The whole table, and the README's few lines of it."""
    found = {(row["kind"], row["method"]): row for row in rows}

    def mean(kind: str, method: str, key: str = "psnr") -> float:
        return float(np.mean(found[kind, method][key]))

    cells, brief = [], []
    for kind in blind.KINDS:
        ours = found[kind, "Invert2Restore"]
        best = max(mean(kind, method) for method in blind.METHODS)
        values = [(mean(kind, method), f"{mean(kind, method):.2f}") for method in ("input", *blind.METHODS)]
        gains = np.subtract(ours["psnr"], found[kind, "input"]["psnr"])
        ssim = f"{mean(kind, 'input', 'ssim'):.3f} → {mean(kind, 'Invert2Restore', 'ssim'):.3f}"
        least = f"{gains.min():+.2f}" if kind != "clean" else f"{min(ours['psnr']):.2f} dB left"
        cost = f"{np.mean(ours['evaluations']):.0f}"
        cells.append([kind, *(f"**{text}**" if value == best else text for value, text in values), ssim, least, cost])
        gain = f"{gains.mean():+.2f}" if kind != "clean" else ""
        brief.append([kind, values[0][1], values[-1][1], gain, f"{mean(kind, 'DIIP'):.2f}"])
    head = ["", "input", *blind.METHODS, "SSIM", "least gain", "evaluations"]
    return table(head, cells), table(["degradation", "input", "Invert2Restore", "gain", "DIIP"], brief)


def write_picture(out: Path, path: Path) -> None:
    """A row a degradation; two photographs, each degraded, restored, clean."""
    from jaxrestore.files.images import enlarge, strip, write_png

    rows = [np.load(out / f"{kind}.npy")[:2] for kind in blind.KINDS[1:]]
    strips = [strip([image for photograph in row for image in photograph]) for row in rows]
    write_png(
        path, enlarge(np.concatenate([np.pad(s, ((0, 2), (0, 0), (0, 0)), constant_values=1) for s in strips]), 2)
    )


def main() -> None:
    parser = workers.parser(__doc__, "out/blind_table")
    parser.add_argument("--count", type=int, default=20, help="photographs")
    options = parser.parse_args()
    images = flowers.photographs(options.data, "test", options.count)

    def work(index: int) -> None:
        measure(blind.KINDS[index :: options.workers], images, options.out, index)

    workers.in_workers(work, options.out, options.workers)
    rows = [row for row in workers.read_rows(options.out) if row["count"] == len(images)]
    whole, brief = report(rows)
    insert(options.docs / "invert2restore.md", "blind", whole)
    insert(Path("README.md"), "blind", brief)
    write_picture(options.out, options.docs / "blind.png")


if __name__ == "__main__":
    main()
