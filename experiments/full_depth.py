"""What full depth (t = T, the paper's reading) reaches, and why partial depth is the default.

    python experiments/full_depth.py --data eval.tar --train train.tar

Inverts photographs of the tuning half, clean and degraded, to the noise of the whole unroll (30 steps, 2 refinements),
corrects it in several ways, and generates. Then two other readings: generating through the clipped map, and one stage,
argmin over z of |G(z) - y|^2 + weight * objective(z). Writes a table into `docs/rectification.md`. Ten minutes on two cores;
resumes. To expect: on a codec and on rain no correction but the whole sphere gains over none, by 0.3 and 0.1 dB.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import blind
import flowers
import jax
import jax.numpy as jnp
import numpy as np
import optax
import workers
from calibrate import training_photographs
from kept_rows import keep, read
from report import Parts, table, write
from workers import Row

import jaxrestore as jr
from jaxrestore import density
from jaxrestore.density.gaussian import from_patches, to_patches
from jaxrestore.diffusion.ddim import descend
from jaxrestore.diffusion.schedule import partial_grid

KINDS = ("clean", "jpeg", "noise", "rain")
STEPS, REFINEMENTS = 30, 2
ONE_STAGE = {f"one stage, weight {weight:g}": weight for weight in (0.0, 1e-3, 1e-2)}
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
    ours = density.correct(noise, energy)
    patches = to_patches(noise, 8)
    rms = jnp.sqrt(jnp.mean(patches**2, axis=-1, keepdims=True))
    return {
        "none": lambda: noise,
        "whole sphere": lambda: density.sphere(noise),
        "patches at most 1": lambda: from_patches(patches / jnp.maximum(rms, 1), noise.shape),
        "patches at mean 0, norm 1": lambda: density.mean_and_norm(noise),
        "bands whitened": lambda: density.whiten_bands(noise),
        "30 % fresh noise": lambda: density.mix(noise, jax.random.normal(jax.random.key(0), noise.shape), 0.3),
        "gradient, weight 1e-4": lambda: density.descend_objective(noise, 1e-4),
        "gradient, weight 1e-3": lambda: density.descend_objective(noise, 1e-3),
        "ours": lambda: ours,
        "ours, half way": lambda: (noise + ours) / 2,
        "ours, clipped": lambda: ours,
    }[name]()


def one_stage(prior: Any, y: Any, weight: float, iterations: int = 100) -> Any:
    """argmin over z of mean((G(z) - y)^2) + weight * objective(z), by Adam through the five-step unroll."""
    optimizer = optax.adam(optax.cosine_decay_schedule(0.05, iterations))

    def generate(noise: Any) -> Any:
        return jr.unroll(prior, noise, skip=200, gradient="frozen_v")

    def loss(noise: Any) -> Any:
        return jnp.mean((generate(noise) - y) ** 2) + weight * density.objective(noise)

    def step(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
        updates, state = optimizer.update(jax.grad(loss)(carry[0]), carry[1])
        return (jnp.asarray(optax.apply_updates(carry[0], updates)), state), None

    start = jax.random.normal(jax.random.key(0), y.shape)
    return generate(jax.lax.scan(step, (start, optimizer.init(start)), None, iterations)[0][0])


def planned(kinds: tuple[str, ...], names: list[str]) -> list[Row]:
    settings = {"steps": STEPS, "refinements": REFINEMENTS, "names": names}
    return [{"kind": kind, "name": name, **settings} for kind in kinds for name in (*CORRECTIONS, *ONE_STAGE)]


def measure(plan: list[Row], images: np.ndarray, options: argparse.Namespace, worker: int) -> None:
    """The rows of a plan, but what `options.out` holds already."""
    workers.keep_programs(options.out)
    prior = flowers.prior()
    depth = len(prior.schedule) - 1
    calibrate = jax.jit(jr.calibrate, static_argnames=("depths", "steps", "refinements"))
    photographs = jnp.asarray(training_photographs(options.train, 16))
    statistics = calibrate(prior, photographs, depths=(depth,), steps=STEPS, refinements=REFINEMENTS)

    @partial(jax.jit, static_argnames="clip")
    def generate(prior: Any, y: Any, noise: Any, clip: bool) -> Any:
        times = partial_grid(prior.schedule, depth, STEPS)
        return descend(prior, prior.schedule.diffuse(y, noise, depth), times, clip=clip)

    entries = workers.unmeasured(plan, options.out)
    for kind in dict.fromkeys(entry["kind"] for entry in entries):
        y = jnp.asarray(blind.degraded(kind, images))
        noise = blind.inverted(prior, y, depth, STEPS, REFINEMENTS)
        about = {"rms": float(jnp.sqrt(jnp.mean(noise**2))), "input": blind.scores(np.asarray(y), images)[0]}
        for entry in [entry for entry in entries if entry["kind"] == kind]:
            name = entry["name"]
            if name in ONE_STAGE:
                generated = jax.jit(jax.vmap(one_stage, (None, 0, None)))(prior, y, ONE_STAGE[name])
            else:
                change = jax.jit(jax.vmap(lambda z, name=name: corrected(name, z, statistics.energy[0])))
                generated = np.clip(generate(prior, y, change(noise), name.endswith("clipped")), -1, 1)
            row = {**entry, **about, "psnr": blind.scores(np.asarray(generated), images)[0]}
            workers.append(options.out / f"results-{worker}.jsonl", row)


def report(rows: list[Row]) -> list[str]:
    by_name = {(row["kind"], row["name"]): row for row in rows}
    cells = [["input", *(f"{np.mean(by_name[kind, 'none']['input']):.2f}" for kind in KINDS)]]
    cells += [["norm of the noise / sqrt(d)", *(f"{by_name[kind, 'none']['rms']:.2f}" for kind in KINDS)]]
    for name in (*CORRECTIONS, *ONE_STAGE):
        cells.append([name, *(f"{np.mean(by_name[kind, name]['psnr']):.2f}" for kind in KINDS)])
    return table(["", *KINDS], cells)


def parts() -> Parts:
    """The document's table, of the kept rows."""
    return {("docs/rectification.md", "full depth"): report(read("full_depth"))}


def main() -> None:
    parser = workers.parser(__doc__, "out/full_depth")
    parser.add_argument("--train", type=Path, required=True, help="train.tar")
    parser.add_argument("--count", type=int, default=4, help="photographs")
    options = parser.parse_args()
    photographs = flowers.photographs(options.data, "tuning", options.count)
    images, names = np.stack(list(photographs.values())), list(photographs)

    def work(index: int) -> None:
        measure(planned(KINDS[index :: options.workers], names), images, options, index)

    workers.in_workers(work, options.out, options.workers)
    keep("full_depth", workers.complete(planned(KINDS, names), options.out))
    write(options.docs.parent, parts())


if __name__ == "__main__":
    main()
