"""Which correction of the noise restores: inversion depth x correction x patch x strength, on the tuning half.

    python experiments/rectification_ablation.py --data eval.tar --train train.tar

Noises are inverted once. Corrections are screened without the network: one that leaves the noise farther from clean
photographs' than it was, on average over the degradations, is not generated from. Writes a table into
`docs/rectification.md`. Twenty minutes on two cores; resumes. To expect of five steps at t = 25: ours gains 0.6 dB for the
codec and 1.2 dB for rain, no other correction than ours more than 0.3 and 0.7 dB.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import blind
import flowers
import jax
import jax.numpy as jnp
import numpy as np
import workers
from calibrate import training_photographs
from kept_rows import keep, read
from report import Parts, table, write
from workers import Row

import jaxrestore as jr
from jaxrestore import density
from jaxrestore.density import Strength, correct, descend_objective
from jaxrestore.density.gaussian import to_patches
from jaxrestore.density.normality import kolmogorov_smirnov, norm_test

DEPTHS = (25, 50, 100, 200)
GRIDS = ((5, 1), (10, 2))  # steps of DDIM, and refinements
KINDS = blind.KINDS[:-1]  # the six degradations of the paper, and none
OFF = {"pixel": jnp.inf, "local": jnp.inf, "everywhere": jnp.inf, "boost": 1.0}


def mixed(test: Callable) -> Callable:
    """Fresh noise, in each patch as much as it takes to pass the test."""
    return lambda z, energy, fresh: density.mix_until(z, fresh, lambda moved: test(to_patches(moved, 8)) < 0.01 / 192)


# Functions of one noise, of clean photographs' energy, and of fresh noise.
CORRECTIONS: dict[str, Callable] = {
    "none": lambda z, energy, fresh: z,
    "whole sphere": lambda z, energy, fresh: density.sphere(z) * jnp.sqrt(energy.mean()),
    "patches on their sphere": lambda z, energy, fresh: density.sphere(z, 8),
    "patches at mean 0, norm 1": lambda z, energy, fresh: density.mean_and_norm(z),
    "ranks to normal": lambda z, energy, fresh: density.rank_gaussian(z),
    "bands whitened": lambda z, energy, fresh: density.whiten_bands(z),
    "fresh noise until the norm passes": mixed(norm_test),
    "fresh noise until Kolmogorov-Smirnov passes": mixed(kolmogorov_smirnov),
    "gradient, weight 1e-4": lambda z, energy, fresh: descend_objective(z, 1e-4),
    "gradient, weight 1e-3": lambda z, energy, fresh: descend_objective(z, 1e-3),
    "ours": lambda z, energy, fresh: correct(z, energy),
    "ours, pixels alone": lambda z, energy, fresh: correct(z, energy, Strength(**{**OFF, "pixel": 2.0})),
    "ours, coefficients alone": lambda z, energy, fresh: correct(z, energy, Strength(pixel=jnp.inf)),
    "ours, nothing raised": lambda z, energy, fresh: correct(z, energy, Strength(boost=1.0)),
    "ours, weaker (all thresholds twice)": lambda z, energy, fresh: correct(z, energy, Strength(4.0, 0.5, 6.0, 3.0)),
    "ours, stronger (local 1.5, pixels fully)": lambda z, energy, fresh: correct(
        z, energy, Strength(2.0, 1.0, 1.5, 1.2)
    ),
    "ours, 4 x 4": lambda z, energy, fresh: correct(z, energy),
    "ours, 16 x 16": lambda z, energy, fresh: correct(z, energy),
}
PATCHES = {"ours, 4 x 4": 4, "ours, 16 x 16": 16}  # of the statistics; 8 for all others


def planned(depths: tuple[int, ...], names: list[str]) -> list[Row]:
    """All corrections on the short grid; on the long one, the controls."""
    return [
        {"depth": depth, "steps": steps, "refinements": refinements, "name": name, "photographs": names}
        for depth in depths
        for steps, refinements in GRIDS
        for name in CORRECTIONS
        if (steps, refinements) == GRIDS[0] or name in ("none", "ours")
    ]


def measure(plan: list[Row], images: np.ndarray, options: Any, worker: int) -> None:
    """The rows of a plan, but what `options.out` holds already."""
    workers.keep_programs(options.out)
    prior, photographs = flowers.prior(), jnp.asarray(training_photographs(options.train, 24))
    y = jnp.asarray(np.concatenate([blind.degraded(kind, images) for kind in KINDS]))
    entries = workers.unmeasured(plan, options.out)
    for (depth, steps, refinements), group in groupby(entries, lambda e: (e["depth"], e["steps"], e["refinements"])):
        settings: Any = {"depths": (depth,), "steps": steps, "refinements": refinements}
        noise = blind.inverted(prior, y, depth, steps, refinements)
        for row in rows_of(list(group), prior, photographs, settings, y, noise, images):
            workers.append(options.out / f"results-{worker}.jsonl", row)


def rows_of(
    entries: list[Row], prior: Any, photographs: Any, settings: dict[str, Any], y: Any, noise: Any, images: np.ndarray
) -> Iterator[Row]:
    """Those of one depth and grid: degradations along the first axis of y and of its noise, clean photographs first."""
    calibrate = jax.jit(jr.calibrate, static_argnames=("depths", "steps", "refinements", "patch"))
    statistics = {size: calibrate(prior, photographs, **settings, patch=size) for size in {8, *_sizes(entries)}}
    method = jr.invert2restore(replace(prior, statistics=statistics[8]))
    generate = jax.jit(jax.vmap(lambda m, y, z: m.generate(y, z, m.statistics.depths[0]), (None, 0, 0)))
    untypical = jax.jit(jax.vmap(lambda z: density.deviation(z, statistics[8], 0)))
    before = np.abs(np.asarray(untypical(noise))).mean((1, 2))
    fresh = jax.random.normal(jax.random.key(0), (64, 64, 3))
    clean, degraded = np.concatenate([images] * len(KINDS)), slice(len(images), None)
    first, first_ssim = (np.reshape(values, (len(KINDS), -1)) for values in blind.scores(np.asarray(y), clean))
    for entry in entries:
        name = entry["name"]
        function, energy = CORRECTIONS[name], statistics[PATCHES.get(name, 8)].energy[0]
        change = jax.jit(jax.vmap(lambda z, function=function, energy=energy: function(z, energy, fresh)))
        jax.block_until_ready(change(noise))
        began = time.perf_counter()
        moved = jax.block_until_ready(change(noise))
        row = {**entry, "seconds": (time.perf_counter() - began) / len(y)}
        after = np.abs(np.asarray(untypical(moved))).mean((1, 2))
        row |= {"before": before[degraded].mean().item(), "after": after[degraded].mean().item()}
        row["moved"] = float(jnp.sqrt(jnp.mean((moved - noise)[degraded] ** 2)))
        if name == "none" or row["after"] <= row["before"]:
            generated = np.asarray(generate(method, y, moved))
            psnr, ssim = (np.reshape(values, (len(KINDS), -1)) for values in blind.scores(generated, clean))
            row["clean"] = psnr[0].mean()
            row["gain"] = (psnr - first)[1:].mean(1).tolist()
            row["ssim"] = (ssim - first_ssim)[1:].mean().item()
        yield row


def _sizes(entries: list[Row]) -> set[int]:
    """Of the patches that the entries need statistics of."""
    return {PATCHES.get(entry["name"], 8) for entry in entries}


def report(rows: list[Row]) -> list[str]:
    head = ["correction", "depth", "steps", "clean", *KINDS[1:], "SSIM", "moved", "untypical", "ms"]
    cells = []
    for row in rows:
        gains = [f"{row['clean']:.1f}", *(f"{gain:+.2f}" for gain in row["gain"])] if "gain" in row else []
        cells.append([row["name"], str(row["depth"]), str(row["steps"])])
        cells[-1] += gains or ["not generated"] + [""] * len(KINDS[1:])
        cells[-1] += [f"{row['ssim']:+.3f}" if gains else "", f"{row['moved']:.2f}"]
        cells[-1] += [f"{row['before']:.1f} → {row['after']:.1f}", f"{1000 * row['seconds']:.1f}"]
    return table(head, cells)


def parts() -> Parts:
    """The document's table, of the kept rows."""
    return {("docs/rectification.md", "ablation"): report(read("rectification_ablation"))}


def main() -> None:
    parser = workers.parser(__doc__, "out/rectification_ablation")
    parser.add_argument("--train", type=Path, required=True, help="train.tar")
    parser.add_argument("--count", type=int, default=4, help="photographs")
    options = parser.parse_args()
    photographs = flowers.photographs(options.data, "tuning", options.count)
    images, names = np.stack(list(photographs.values())), list(photographs)

    def work(index: int) -> None:
        measure(planned(DEPTHS[index :: options.workers], names), images, options, index)

    workers.in_workers(work, options.out, options.workers)
    keep("rectification_ablation", workers.complete(planned(DEPTHS, names), options.out))
    write(options.docs.parent, parts())


if __name__ == "__main__":
    main()
