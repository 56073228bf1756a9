"""What full depth (t = T, the paper's reading) reaches, and why partial depth is the default.

    python experiments/full_depth.py --data eval.tar --train train.tar

Inverts photographs of the tuning half, clean and degraded, to the noise of the whole unroll (30 steps, 2 refinements),
corrects it in several ways, and generates. Then two other readings: generating through the clipped map, and one stage,
argmin over z of |G(z) - y|^2 + weight * objective(z). Writes a table into `docs/invert2restore.md`. Ten minutes on two cores;
resumes.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import blind
import flowers
import numpy as np
import workers
from calibrate import training_photographs
from report import insert, table

KINDS = ("clean", "jpeg", "noise", "rain")
STEPS, REFINEMENTS = 30, 2
ONE_STAGE = (0.0, 1e-3, 1e-2)
CORRECTIONS = (
    "none",
    "whole sphere",
    "patches at most 1",
    "patches at mean 0, norm 1",
    "bands whitened",
    "30 % fresh noise",
    "gradient, weight 1e-4",
    "gradient, weight 1e-3",
    "ours",
    "ours, half way",
    "ours, clipped",
)


def corrected(name: str, noise: Any, energy: Any) -> Any:
    """One noise ``[h, w, c]`` of full depth after the correction of that name."""
    import jax
    import jax.numpy as jnp

    from jaxrestore.density import corrections
    from jaxrestore.density.objective import from_patches, to_patches
    from jaxrestore.density.rectification import correct, descend_objective

    ours = correct(noise, energy)
    patches = to_patches(noise, 8)
    rms = jnp.sqrt(jnp.mean(patches**2, axis=-1, keepdims=True))
    return {
        "none": lambda: noise,
        "whole sphere": lambda: corrections.sphere(noise),
        "patches at most 1": lambda: from_patches(patches / jnp.maximum(rms, 1), noise.shape),
        "patches at mean 0, norm 1": lambda: corrections.mean_and_norm(noise),
        "bands whitened": lambda: corrections.whiten_bands(noise),
        "30 % fresh noise": lambda: corrections.mix(noise, jax.random.normal(jax.random.key(0), noise.shape), 0.3),
        "gradient, weight 1e-4": lambda: descend_objective(noise, 1e-4),
        "gradient, weight 1e-3": lambda: descend_objective(noise, 1e-3),
        "ours": lambda: ours,
        "ours, half way": lambda: (noise + ours) / 2,
        "ours, clipped": lambda: ours,
    }[name]()


def one_stage(prior: Any, y: Any, weight: float, iterations: int = 100) -> Any:
    """argmin over z of mean((G(z) - y)^2) + weight * objective(z), by Adam through the five-step unroll."""
    import jax
    import jax.numpy as jnp
    import optax

    from jaxrestore.density.objective import objective
    from jaxrestore.diffusion.ddim import unroll

    optimizer = optax.adam(optax.cosine_decay_schedule(0.05, iterations))

    def generate(noise: Any) -> Any:
        return unroll(prior, noise, skip=200, gradient="frozen_v")

    def loss(noise: Any) -> Any:
        return jnp.mean((generate(noise) - y) ** 2) + weight * objective(noise)

    def step(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
        updates, state = optimizer.update(jax.grad(loss)(carry[0]), carry[1])
        return (jnp.asarray(optax.apply_updates(carry[0], updates)), state), None

    start = jax.random.normal(jax.random.key(0), y.shape)
    return generate(jax.lax.scan(step, (start, optimizer.init(start)), None, iterations)[0][0])


def measure(kinds: tuple[str, ...], images: np.ndarray, given: argparse.Namespace, worker: int) -> None:
    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore.diffusion.ddim import descend
    from jaxrestore.diffusion.schedule import partial_grid

    jax.config.update("jax_compilation_cache_dir", str((given.out / "cache").absolute()))
    prior, done = jr.load_prior("flowers64"), {(row["kind"], row["name"]) for row in workers.read_rows(given.out)}
    depth = len(prior.schedule) - 1
    calibrate = jax.jit(jr.calibrate, static_argnames=("depths", "steps", "refinements"))
    photographs = jnp.asarray(training_photographs(given.train, 16))
    typical = calibrate(prior, photographs, depths=(depth,), steps=STEPS, refinements=REFINEMENTS)

    @partial(jax.jit, static_argnames="clip")
    def generate(prior: Any, y: Any, noise: Any, clip: bool) -> Any:
        times = partial_grid(prior.schedule, depth, STEPS)
        return descend(prior, prior.schedule.diffuse(y, noise, depth), times, clip=clip)

    for kind in kinds:
        y = jnp.asarray(blind.degraded(kind, images))
        noise = blind.inverted(prior, y, depth, STEPS, REFINEMENTS)
        rms = float(jnp.sqrt(jnp.mean(noise**2)))
        for name in CORRECTIONS:
            if (kind, name) not in done:
                change = jax.jit(jax.vmap(lambda z, name=name: corrected(name, z, typical.energy[0])))
                made = generate(prior, y, change(noise), name.endswith("clipped"))
                row = {"kind": kind, "name": name, "rms": rms, "psnr": blind.scores(np.clip(made, -1, 1), images)[0]}
                row["input"] = blind.scores(np.asarray(y), images)[0]
                workers.append(given.out / f"results-{worker}.jsonl", row)
        for weight in ONE_STAGE:
            name = f"one stage, weight {weight:g}"
            if (kind, name) not in done:
                made = jax.jit(jax.vmap(one_stage, (None, 0, None)))(prior, y, weight)
                row = {"kind": kind, "name": name, "psnr": blind.scores(np.asarray(made), images)[0]}
                workers.append(given.out / f"results-{worker}.jsonl", row)


def report(rows: list[dict]) -> list[str]:
    found = {(row["kind"], row["name"]): row for row in rows}
    cells = [["input", *(f"{np.mean(found[kind, 'none']['input']):.2f}" for kind in KINDS)]]
    cells += [["norm of the noise / sqrt(d)", *(f"{found[kind, 'none']['rms']:.2f}" for kind in KINDS)]]
    for name in dict.fromkeys(row["name"] for row in rows):
        cells.append([name, *(f"{np.mean(found[kind, name]['psnr']):.2f}" for kind in KINDS)])
    return table(["", *KINDS], cells)


def main() -> None:
    parser = workers.parser(__doc__, "out/full_depth")
    parser.add_argument("--train", type=Path, required=True, help="train.tar")
    parser.add_argument("--count", type=int, default=4, help="photographs")
    given = parser.parse_args()
    images = np.stack(list(flowers.photographs(given.data, "tuning", given.count).values()))
    workers.in_workers(
        lambda index: measure(KINDS[index :: given.workers], images, given, index), given.out, given.workers
    )
    rows = sorted(workers.read_rows(given.out), key=lambda row: KINDS.index(row["kind"]))
    insert(given.docs / "invert2restore.md", "full depth", report(rows))


if __name__ == "__main__":
    main()
