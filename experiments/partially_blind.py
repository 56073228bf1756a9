"""Noise and operator found together, on photographs of the test half, against BIRD at equal network evaluations.

    python experiments/partially_blind.py --data eval.tar

Motion blur with BIRD's noise; 4x reduction after an unknown Gaussian blur, without and with that noise; a real codec of
quality 5 to 25; Gaussian blur and then a codec (`partially_blind_problems.py`). A budget of network evaluations
(`--evaluations`) says how many photographs. Then the weight of the density objective over four decades. Writes tables into
`docs/invert2restore.md` and the README, `docs/density_weight.png` and `docs/partially_blind.png`
(`partially_blind_report.py`). Under an hour on two cores; resumes. To expect: all above the input, the parameters nearer than
where they started.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import flowers
import jax
import jax.numpy as jnp
import numpy as np
import partially_blind_report as reporting
import workers
from partially_blind_problems import SHIFTED, TASKS, Posed, errors, posed
from report import insert
from workers import Row

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.density import objective
from jaxrestore.methods.settings import values_of

SHARES = {"motion": 2, "reduction": 2}  # of the photographs; 1 for the others
METHODS = (
    "BIRD",
    "BIRD, restarts",
    "fully blind",
    "partially blind",
    "from fresh noise",
    "from rectified noise",
    "rectified first",
    "operator known",
)
# Of the variants that are named by it: from which noise a search starts, or that the measurement is rectified before.
FIRST = {"from fresh noise": "fresh", "from rectified noise": "rectified", "rectified first": "measurement"}
WEIGHTS = (None, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)  # of the density objective; None: without it
SWEPT = ("motion",)
TUNED = "tuned"  # the weight of all other rows


def round_cost(prior: jr.Prior) -> int:
    """Network evaluations of one round of the fully blind method."""
    assert prior.statistics is not None
    return prior.statistics.steps * (2 + prior.statistics.refinements)


def first_cost(first: str, settings: jr.Settings, prior: jr.Prior) -> int:
    """Network evaluations of what is rectified first: all rounds and an inversion with four refinements for a start
    (`methods.origins`), in each restart; two rounds for a measurement, as the noise of these tasks takes."""
    assert prior.statistics is not None
    start = len(prior.statistics.depths) * round_cost(prior) + 5 * (1000 // settings.skip)
    return {"fresh": 0, "rectified": start * settings.restarts, "measurement": 2 * round_cost(prior)}[first]


def budget(task: str, prior: jr.Prior) -> int:
    """Network evaluations of the tuned default."""
    tuned = jr.settings_for("invert2restore", TASKS[task], prior)
    return tuned.iterations * (1000 // tuned.skip) * tuned.restarts + first_cost(tuned.origin, tuned, prior)


def settings_of(task: str, method: str, weight: Any, prior: jr.Prior) -> Any:
    """With which a variant is run: the prior's, and as many iterations as the budget allows."""
    if method == "fully blind":
        return jr.settings_for("invert2restore-calibrated", "any", prior)
    if method.startswith("BIRD"):
        bird = jr.settings_for("bird", TASKS[task], prior)
        restarts = bird.restarts * (2 if method == "BIRD, restarts" else 1)
        iterations = budget(task, prior) // (1000 // bird.skip * restarts)
        return replace(bird, iterations=iterations, restarts=restarts, combine="mean")
    ours = jr.settings_for("invert2restore", TASKS[task], prior)
    first = FIRST.get(method) or ours.origin
    if first == "fresh" and ours.origin == "rectified":  # whose other settings are for that start
        ours = jr.settings_for("invert2restore", "any", prior)
    left = budget(task, prior) - first_cost(first, ours, prior)
    ours = replace(
        ours,
        iterations=max(10, left // ours.restarts // (1000 // ours.skip)),
        combine="mean",
        origin="rectified" if first == "rectified" else "fresh",
        fresh=0.5 if ours.restarts > 1 else 0.0,  # for restarts to differ
    )
    return ours if weight == TUNED else replace(ours, density=weight)


def restored(method: str, settings: Any, problem: Posed, prior: jr.Prior) -> tuple[jr.Restoration, int]:
    """The restoration, and its network evaluations: at most those of the tuned default, but for the fully blind."""
    key, blind = jax.random.key(0), jr.invert2restore(prior)
    if method == "fully blind":
        y = jax.image.resize(problem.y, prior.shape, "cubic")
        result = jr.restore(blind, y, key, chunk_size=1)
        return result, int(result.iterations) * round_cost(prior)
    y, operator = problem.y, problem.truth if method == "operator known" else problem.start
    if method.startswith("BIRD"):
        search, cost = jr.bird(prior, operator, settings=settings), 0
    else:
        search = jr.invert2restore(prior, operator, settings=settings)
        cost = first_cost(settings.origin, settings, prior)
    if FIRST.get(method) == "measurement":
        calm = jr.restore(blind, y, key, chunk_size=1)
        y, cost = calm.image, int(calm.iterations) * round_cost(prior)
    result = jr.restore(search, y, key, chunk_size=1000, devices="all")
    return result, settings.iterations * (1000 // settings.skip) * settings.restarts + cost


def is_tried(task: str, method: str, prior: jr.Prior) -> bool:
    """Not the tuned default under another name, nor on minor tasks what is tried on the two main ones."""
    default = jr.settings_for("invert2restore", TASKS[task], prior).origin
    if FIRST.get(method) == default or (method == "BIRD, restarts" and task not in SHARES):
        return False
    return method != "rectified first" or task == "motion"  # of the others there is no image to rectify


def planned(jobs: Iterable[tuple[str, str, Any]], images: list[str], photographs: int, prior: jr.Prior) -> list[Row]:
    """Each (task, method, weight) that is tried, on its share of the photographs."""
    return [
        {"task": task, "method": method, "weight": weight, "name": name, "settings": values}
        for task, method, weight in jobs
        if is_tried(task, method, prior)
        for values in [values_of(settings_of(task, method, weight, prior))]
        for name in images[: photographs * SHARES.get(task, 1) if weight == TUNED else (photographs + 1) // 2]
    ]


def measure(plan: list[Row], images: dict[str, np.ndarray], prior: jr.Prior, out: Path, worker: int) -> None:
    """The rows of a plan, but what `out` holds already."""
    workers.keep_programs(out)
    for entry in workers.unmeasured(plan, out):
        task, method, weight, name = (entry[key] for key in ("task", "method", "weight", "name"))
        problem, truth = posed(task, name, images[name], prior, out / "given"), jnp.asarray(images[name])
        seen = jax.image.resize(problem.y, truth.shape, "cubic")
        result, evaluations = restored(method, settings_of(task, method, weight, prior), problem, prior)
        assert result.restarts is not None
        image, samples = result.image, result.restarts.image
        pair, before = (metrics.registered(x, truth) if task in SHIFTED else (x, truth) for x in (image, seen))
        row = {**entry, "input": float(metrics.psnr(*before)), "psnr": float(metrics.psnr(*pair))}
        row |= {"ssim": float(metrics.ssim(*pair)), "evaluations": evaluations}
        if method != "fully blind":
            row["density"] = float(objective(jr.best(result).noise))
        if method not in ("fully blind", "operator known"):
            row["start"] = errors(problem.start, problem.truth)
            row["found"] = errors(result.operator, problem.truth)
        if method == "partially blind" and len(samples) > 1:
            error = jnp.mean(jnp.abs(samples.mean(0) - truth), axis=-1)
            row["rank"] = float(metrics.rank_correlation(metrics.uncertainty(samples), error))
        workers.append(out / f"results-{worker}.jsonl", row)
        if name == next(iter(images)) and weight == TUNED:
            np.save(out / f"{task}-{method}.npy", np.stack([seen, image, truth]))


def main() -> None:
    parser = workers.parser(__doc__, "out/partially_blind")
    parser.add_argument("--evaluations", type=int, default=140_000, help="budget of network evaluations")
    options = parser.parse_args()
    prior = flowers.prior()
    each = sum(budget(task, prior) * SHARES.get(task, 1) for task in TASKS) * (len(METHODS) - 1)
    each += sum(budget(task, prior) * len(WEIGHTS) for task in SWEPT) / 2
    photographs = int(np.clip(options.evaluations / each, 2, 10))
    images = flowers.photographs(options.data, "test", photographs * max(SHARES.values()))
    main_jobs = [(task, method, TUNED) for task in TASKS for method in METHODS]
    swept_jobs = [(task, "partially blind", weight) for task in SWEPT for weight in WEIGHTS]

    def rows_of(jobs: list[tuple[str, str, Any]]) -> list[Row]:
        return workers.complete(planned(jobs, list(images), photographs, prior), options.out)

    def work(index: int) -> None:
        jobs = (main_jobs + swept_jobs)[index :: options.workers]
        measure(planned(jobs, list(images), photographs, prior), images, prior, options.out, index)

    workers.in_workers(work, options.out, options.workers)
    whole, brief = reporting.report(rows_of(main_jobs), METHODS)
    insert(options.docs / "invert2restore.md", "partially blind", whole)
    insert(options.docs.parent / "README.md", "partially blind", brief)
    reporting.write_figure(rows_of(swept_jobs), WEIGHTS, options.docs / "density_weight.png")
    reporting.write_picture(options.out, list(TASKS), options.docs / "partially_blind.png")


if __name__ == "__main__":
    main()
