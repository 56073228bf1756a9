"""What tells the noise of a degraded photograph from that of a clean one: flagged patches, the objective, the bands.

    python experiments/rectification_calibration.py --data eval.tar

Noise of photographs of the tuning half, clean and degraded, at the calibrated depths and at full depth, against the
statistics of clean training photographs (`typical.json`). Writes a table into `docs/rectification.md` and a figure beside
it. Five minutes on two cores; resumes. To expect of t = 25: a quarter of a clean photograph's patches flagged at 8 x 8, its
largest z-score below 2.5 in the mean, and above that for every degradation.
"""

from pathlib import Path
from typing import Any

import blind
import flowers
import numpy as np
import workers
from kept_rows import keep, read
from report import Parts, table, write
from workers import Row

SIZES = (4, 8, 16)
FULL = (999, 30, 2)  # depth, steps, refinements
KINDS = ("fresh", *blind.KINDS)


def planned(clean: Any, kinds: tuple[str, ...], names: list[str]) -> list[Row]:
    """Each kind of noise at each depth of the statistics `clean`, and at full depth."""
    depths = [(depth, clean.steps, clean.refinements) for depth in clean.depths.tolist()] + [FULL]
    return [
        {"kind": kind, "depth": depth, "steps": steps, "refinements": refinements, "names": names}
        for kind in kinds
        for depth, steps, refinements in depths
    ]


def measure(plan: list[Row], images: np.ndarray, prior: Any, out: Path, worker: int) -> None:
    """The rows of a plan, but what `out` holds already."""
    import jax
    import jax.numpy as jnp

    from jaxrestore.density import deviation, flagged, patch_tests, terms

    workers.keep_programs(out)
    clean = prior.statistics

    def statistics(noise: Any) -> dict[str, Any]:
        measured = {"rms": jnp.sqrt(jnp.mean(noise**2, axis=(1, 2, 3)))}
        for size in SIZES:
            measured[f"objective {size}"] = jnp.asarray(sum(terms(noise, size)))
            measured[f"flagged {size}"] = flagged(patch_tests(noise, size), 0.05).mean((1, 2))
        return measured

    for entry in workers.unmeasured(plan, out):
        kind, depth = entry["kind"], entry["depth"]
        if kind == "fresh":
            noise = jax.random.normal(jax.random.key(depth), images.shape)
        else:
            y = jnp.asarray(blind.degraded(kind, images))
            noise = blind.inverted(prior, y, depth, entry["steps"], entry["refinements"])
        row = {**entry, **{name: np.asarray(values).tolist() for name, values in jax.jit(statistics)(noise).items()}}
        if depth != FULL[0]:
            index = clean.depths.tolist().index(depth)
            bands = jax.vmap(lambda z, index=index: deviation(z, clean, index))(noise)
            row["bands"] = np.asarray(bands).round(3).tolist()
        workers.append(out / f"results-{worker}.jsonl", row)


def report(rows: list[Row]) -> list[str]:
    head = ["noise of", "depth", "rms", *(f"flagged, {n} x {n}" for n in SIZES), "objective, 8 x 8", "untypical"]
    cells = []
    for row in rows:
        values = [f"{np.mean(row[f'flagged {size}']):.0%}" for size in SIZES]
        far = np.abs(np.array(row["bands"])).max((1, 2)) if "bands" in row else None
        cells.append([row["kind"], str(row["depth"]), f"{np.mean(row['rms']):.2f}", *values])
        cells[-1].append(f"{np.mean(row['objective 8']):.0f}")
        cells[-1].append("" if far is None else f"{far.mean():.1f} ({far.min():.1f} to {far.max():.1f})")
    return table(head, cells)


def write_figure(rows: list[Row], path: Path) -> None:
    """z-scores by band, a panel a depth; brightness solid, the mean of the colour differences dashed."""
    from matplotlib.figure import Figure

    depths = sorted({row["depth"] for row in rows if "bands" in row})
    figure = Figure(figsize=(4 * len(depths), 3.4), layout="constrained")
    panels = figure.subplots(1, len(depths), sharey=True)
    for axes, depth in zip(panels, depths, strict=True):
        for number, kind in enumerate(blind.KINDS):
            (row,) = (row for row in rows if (row["kind"], row["depth"]) == (kind, depth))
            bands = np.array(row["bands"]).mean(0)
            axes.plot(bands[:, 0], color=f"C{number}", label=kind)
            axes.plot(bands[:, 1:].mean(1), "--", color=f"C{number}")
        axes.axhspan(-2.5, 2.5, color="0.9")
        axes.set(title=f"t = {depth}", xlabel="band, from coarse to fine", ylabel="z-score against clean")
    panels[-1].legend(fontsize=7)
    figure.savefig(path, dpi=90)


def parts() -> Parts:
    """The document's table, of the kept rows."""
    return {("docs/rectification.md", "calibration"): report(read("rectification_calibration"))}


def main() -> None:
    parser = workers.parser(__doc__, "out/rectification_calibration")
    parser.add_argument("--count", type=int, default=8, help="photographs")
    options = parser.parse_args()
    photographs = flowers.photographs(options.data, "tuning", options.count)
    images, names = np.stack(list(photographs.values())), list(photographs)
    prior = flowers.prior()

    def work(index: int) -> None:
        plan = planned(prior.statistics, KINDS[index :: options.workers], names)
        measure(plan, images, prior, options.out, index)

    workers.in_workers(work, options.out, options.workers)
    rows = workers.complete(planned(prior.statistics, KINDS, names), options.out)
    rows = keep("rectification_calibration", sorted(rows, key=lambda row: (row["depth"], KINDS.index(row["kind"]))))
    write(options.docs.parent, parts())
    write_figure(rows, options.docs / "rectification_calibration.png")


if __name__ == "__main__":
    main()
