"""What tells the noise of a degraded photograph from that of a clean one: flagged patches, the objective, the bands.

    python experiments/rectification_calibration.py --data eval.tar

Noise of photographs of the tuning half, clean and degraded, at the calibrated depths and at full depth, against the
statistics of clean training photographs (`typical.json`). Writes a table into `docs/invert2restore.md` and a figure beside
it. Five minutes on two cores; resumes.
"""

from typing import Any

import blind
import flowers
import numpy as np
import workers
from report import insert, table

SIZES = (4, 8, 16)
FULL = (999, 30, 2)  # depth, steps, refinements


def measure(kinds: tuple[str, ...], images: np.ndarray, options: Any, worker: int) -> None:
    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore.density import normality
    from jaxrestore.density import objective as density
    from jaxrestore.density.typical import deviation

    jax.config.update("jax_compilation_cache_dir", str((options.out / "cache").absolute()))
    prior, typical = jr.load_prior("flowers64"), jr.load_typical("flowers64")
    done = {(row["kind"], row["depth"], row["steps"]) for row in workers.read_rows(options.out)}

    def statistics(noise: Any) -> dict[str, Any]:
        found = {"rms": jnp.sqrt(jnp.mean(noise**2, axis=(1, 2, 3)))}
        for size in SIZES:
            found[f"objective {size}"] = density.objective(noise, size)
            flags = normality.flagged(normality.patch_tests(noise, size), 0.05)
            found[f"flagged {size}"] = flags.mean((1, 2))
        return found

    depths = [(int(depth), typical.steps, typical.refinements) for depth in typical.depths] + [FULL]
    for kind in kinds:
        for index, (depth, steps, refinements) in enumerate(depths):
            if (kind, depth, steps) in done:
                continue
            if kind == "fresh":
                noise = jax.random.normal(jax.random.key(depth), images.shape)
            else:
                y = jnp.asarray(blind.degraded(kind, images))
                noise = blind.inverted(prior, y, depth, steps, refinements)
            row: dict[str, Any] = {"kind": kind, "depth": depth, "steps": steps}
            row |= {name: np.asarray(values).tolist() for name, values in jax.jit(statistics)(noise).items()}
            if index < len(typical.depths):
                bands = jax.vmap(lambda z, index=index: deviation(z, typical, index))(noise)
                row["bands"] = np.asarray(bands).round(3).tolist()
            workers.append(options.out / f"results-{worker}.jsonl", row)


def report(rows: list[dict]) -> list[str]:
    head = ["noise of", "depth", "rms", *(f"flagged, {n} x {n}" for n in SIZES), "objective, 8 x 8", "untypical"]
    cells = []
    for row in rows:
        values = [f"{np.mean(row[f'flagged {size}']):.0%}" for size in SIZES]
        far = f"{np.abs(np.array(row['bands'])).max((1, 2)).mean():.1f}" if "bands" in row else ""
        cells.append([row["kind"], str(row["depth"]), f"{np.mean(row['rms']):.2f}", *values])
        cells[-1] += [f"{np.mean(row['objective 8']):.0f}", far]
    return table(head, cells)


def write_figure(rows: list[dict], path: Any) -> None:
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


def main() -> None:
    parser = workers.parser(__doc__, "out/rectification_calibration")
    parser.add_argument("--count", type=int, default=8, help="photographs")
    options = parser.parse_args()
    images = np.stack(list(flowers.photographs(options.data, "tuning", options.count).values()))
    kinds = ("fresh", *blind.KINDS)
    workers.in_workers(
        lambda index: measure(kinds[index :: options.workers], images, options, index), options.out, options.workers
    )
    rows = sorted(workers.read_rows(options.out), key=lambda row: (row["depth"], kinds.index(row["kind"])))
    insert(options.docs / "invert2restore.md", "calibration", report(rows))
    write_figure(rows, options.docs / "rectification_calibration.png")


if __name__ == "__main__":
    main()
