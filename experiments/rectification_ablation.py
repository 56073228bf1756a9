"""Which correction of the noise restores: inversion depth x correction x patch x strength, on the tuning half.

    python experiments/rectification_ablation.py --data eval.tar --train train.tar

Noises are inverted once. Corrections are screened without the network: one that leaves the noise farther from clean
photographs' than it was, on average over the degradations, is not generated from. Writes a table into
`docs/invert2restore.md`. Twenty minutes on two cores; resumes.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blind
import flowers
import numpy as np
import workers
from calibrate import training_photographs
from report import insert, table

DEPTHS = (25, 50, 100, 200)
STEPS = ((5, 1), (10, 2))  # of DDIM, and refinements
KINDS = blind.KINDS[:-1]  # the six degradations of the paper, and none


def corrections(typical: Any, index: int, patches: dict[int, Any]) -> dict[str, Callable]:
    """Functions of one noise, by name."""
    import jax
    import jax.numpy as jnp

    from jaxrestore.density import corrections as known
    from jaxrestore.density import normality
    from jaxrestore.density.objective import to_patches
    from jaxrestore.density.rectification import Strength, correct, descend_objective

    energy = typical.energy[index]
    fresh = jax.random.normal(jax.random.key(0), (64, 64, 3))
    off = {"pixel": jnp.inf, "local": jnp.inf, "everywhere": jnp.inf, "boost": 1.0}

    def tested(test: Callable) -> Callable:
        return lambda z: known.mix_until(z, fresh, lambda moved: test(to_patches(moved, 8)) < 0.01 / 192)

    made: dict[str, Callable] = {
        "none": lambda z: z,
        "whole sphere": lambda z: known.sphere(z) * jnp.sqrt(energy.mean()),
        "patches on their sphere": lambda z: known.sphere(z, 8),
        "patches at mean 0, norm 1": known.mean_and_norm,
        "ranks to normal": known.rank_gaussian,
        "bands whitened": known.whiten_bands,
        "fresh noise until the norm passes": tested(normality.norm_test),
        "fresh noise until Kolmogorov-Smirnov passes": tested(normality.kolmogorov_smirnov),
        "gradient, weight 1e-4": lambda z: descend_objective(z, 1e-4),
        "gradient, weight 1e-3": lambda z: descend_objective(z, 1e-3),
        "ours": lambda z: correct(z, energy),
        "ours, pixels alone": lambda z: correct(z, energy, Strength(**{**off, "pixel": 2.0})),
        "ours, coefficients alone": lambda z: correct(z, energy, Strength(pixel=jnp.inf)),
        "ours, nothing raised": lambda z: correct(z, energy, Strength(boost=1.0)),
        "ours, weaker (all thresholds twice)": lambda z: correct(z, energy, Strength(4.0, 0.5, 6.0, 3.0)),
        "ours, stronger (local 1.5, pixels fully)": lambda z: correct(z, energy, Strength(2.0, 1.0, 1.5, 1.2)),
    }
    return made | {
        f"ours, {size} x {size}": lambda z, size=size: correct(z, patches[size].energy[index]) for size in patches
    }


def measure(depths: tuple[int, ...], images: np.ndarray, options: Any, worker: int) -> None:
    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore.density.typical import deviation

    jax.config.update("jax_compilation_cache_dir", str((options.out / "cache").absolute()))
    prior, done = (
        jr.load_prior("flowers64"),
        {(row["depth"], row["steps"], row["name"]) for row in workers.read_rows(options.out)},
    )
    photographs = jnp.asarray(training_photographs(options.train, 24))
    y = jnp.asarray(np.concatenate([blind.degraded(kind, images) for kind in KINDS]))
    clean = np.concatenate([images] * len(KINDS))
    first, first_ssim = (np.reshape(values, (len(KINDS), -1)) for values in blind.scores(np.asarray(y), clean))
    calibrate = jax.jit(jr.calibrate, static_argnames=("depths", "steps", "refinements", "patch"))
    for depth in depths:
        for steps, refinements in STEPS:
            settings = {"depths": (depth,), "steps": steps, "refinements": refinements}
            typical = calibrate(prior, photographs, **settings)
            few = steps == STEPS[0][0]
            patches = {size: calibrate(prior, photographs, **settings, patch=size) for size in (4, 16) if few}
            method = jr.invert2restore(prior, typical)
            generate = jax.jit(jax.vmap(lambda m, y, z: m.generate(y, z, m.typical.depths[0]), (None, 0, 0)))
            scores = jax.jit(jax.vmap(lambda z: deviation(z, typical, 0)))  # noqa: B023
            noise = blind.inverted(prior, y, depth, steps, refinements)
            before = np.abs(np.asarray(scores(noise))).mean((1, 2))
            for name, change in corrections(typical, 0, patches).items():
                if (depth, steps, name) in done or (not few and name not in ("none", "ours")):
                    continue
                change = jax.jit(jax.vmap(change))
                jax.block_until_ready(change(noise))
                began = time.perf_counter()
                moved = jax.block_until_ready(change(noise))
                seconds = (time.perf_counter() - began) / len(y)
                after = np.abs(np.asarray(scores(moved))).mean((1, 2))
                degraded = slice(len(images), None)
                row = {"depth": depth, "steps": steps, "name": name, "seconds": seconds}
                row |= {"before": before[degraded].mean().item(), "after": after[degraded].mean().item()}
                row["moved"] = float(jnp.sqrt(jnp.mean((moved - noise)[degraded] ** 2)))
                if name == "none" or row["after"] <= row["before"]:
                    made = np.asarray(generate(method, y, moved))
                    psnr, ssim = (np.reshape(values, (len(KINDS), -1)) for values in blind.scores(made, clean))
                    row["clean"] = psnr[0].mean()
                    row["gain"] = (psnr - first)[1:].mean(1).tolist()
                    row["ssim"] = (ssim - first_ssim)[1:].mean().item()
                workers.append(options.out / f"results-{worker}.jsonl", row)


def report(rows: list[dict]) -> list[str]:
    head = ["correction", "depth", "steps", "clean", *KINDS[1:], "SSIM", "moved", "untypical", "ms"]
    cells = []
    for row in rows:
        gains = [f"{row['clean']:.1f}", *(f"{gain:+.2f}" for gain in row["gain"])] if "gain" in row else []
        cells.append([row["name"], str(row["depth"]), str(row["steps"])])
        cells[-1] += gains or ["not generated"] + [""] * len(KINDS[1:])
        cells[-1] += [f"{row['ssim']:+.3f}" if gains else "", f"{row['moved']:.2f}"]
        cells[-1] += [f"{row['before']:.1f} → {row['after']:.1f}", f"{1000 * row['seconds']:.1f}"]
    return table(head, cells)


def main() -> None:
    parser = workers.parser(__doc__, "out/rectification_ablation")
    parser.add_argument("--train", type=Path, required=True, help="train.tar")
    parser.add_argument("--count", type=int, default=4, help="photographs")
    options = parser.parse_args()
    images = np.stack(list(flowers.photographs(options.data, "tuning", options.count).values()))
    workers.in_workers(
        lambda index: measure(DEPTHS[index :: options.workers], images, options, index), options.out, options.workers
    )
    found = {(row["depth"], row["steps"], row["name"]): row for row in workers.read_rows(options.out)}
    rows = sorted(found.values(), key=lambda row: (row["depth"], row["steps"]))
    insert(options.docs / "invert2restore.md", "ablation", report(rows))


if __name__ == "__main__":
    main()
