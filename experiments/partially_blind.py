"""Noise and operator found together, on photographs of the test half, against BIRD at equal network evaluations.

    python experiments/partially_blind.py --data eval.tar

Motion blur with BIRD's noise; 4x reduction after an unknown Gaussian blur, without and with that noise; a real codec of
quality 5 to 25; Gaussian blur and then a codec; one stop too dark (`partially_blind_problems.py`). What uses the density
objective has a twin without it, and the default another whose terms have no hinge; where an operator can be kept as it
starts, that is the lower bound, and the true one the upper. Then the weight of the density objective over three decades.

What is measured stays in `experiments/results/partially_blind.jsonl` and isn't measured again; of it alone are the tables in
`docs/invert2restore.md` and `docs/expectations.md`, and `docs/density_weight.png`; `docs/partially_blind.png` is of the
images of the first photograph (`partially_blind_report.py`). An hour on two cores; resumes, and `--tasks motion
--photographs 4` measures a part. To expect: the default of motion blur and reduction above the input, about as the fixed
kernel or better, below the known one; with and without the density alike, but for exposure and noise.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import flowers
import jax
import jax.numpy as jnp
import numpy as np
import partially_blind_report as reporting
import workers
from kept_rows import missing
from partially_blind_problems import SHIFTED, TASKS, Posed, errors, posed
from partially_blind_report import ABOUT, BRIEF, METHODS, NAME
from workers import Row

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.density import terms
from jaxrestore.methods import PartiallyBlind
from jaxrestore.methods.settings import values_of

MAIN = ("motion", "reduction")  # the paper's own
ALONE = METHODS[:3]  # which have no density objective
VARIANTS = ("BIRD, restarts", *METHODS[4:7])  # each tried on some tasks
# Of those that are named by it: from which noise a search starts, or that the measurement is rectified before.
FIRST = {"from fresh noise": "fresh", "from rectified noise": "rectified", "rectified first": "measurement"}
FIXED = ("motion", "reduction", "noisy reduction", "exposure")  # a codec's quality is read off what it made
WEIGHTS = (1e-6, 1e-5, 1e-4, 1e-3)  # of the density objective
SWEPT = "motion"
POOL = 20  # photographs of the test half, spread over it, and the first few of them, too
TUNED = "tuned"  # the prior's weight for a task


class Job(NamedTuple):
    """What is run on each of its photographs."""

    task: str
    method: str
    density: str  # its form: "hinge", "no hinge" or "off"; empty for methods that have none
    weight: float | str = TUNED


@jr.register
@dataclass(frozen=True, kw_only=True)
class Unhinged(PartiallyBlind):
    """With the terms themselves in the objective, which lead through the typical set and out of it."""

    def untypical(self, noise: jax.Array, iteration: jax.Array) -> Any:
        return self.density * sum(terms(noise, self.patch))


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


def settings_of(job: Job, prior: jr.Prior) -> Any:
    """With which a job is run: the prior's, and as many iterations as the budget allows."""
    task, method = job.task, job.method
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
    if method == "operator fixed":
        ours = replace(ours, operator_lr=0.0, operator_every=0)
    if job.density == "off":
        return replace(ours, density=None)
    return ours if isinstance(job.weight, str) else replace(ours, density=job.weight)


def restored(job: Job, problem: Posed, prior: jr.Prior) -> tuple[jr.Restoration, int]:
    """The restoration, and its network evaluations: at most those of the tuned default, but for the fully blind."""
    key, blind, settings = jax.random.key(0), jr.invert2restore(prior), settings_of(job, prior)
    if job.method == "fully blind":
        y = jax.image.resize(problem.y, prior.shape, "cubic")
        result = jr.restore(blind, y, key, chunk_size=1)
        return result, int(result.iterations) * round_cost(prior)
    y, operator = problem.y, problem.truth if job.method == "operator known" else problem.start
    if job.method.startswith("BIRD"):
        search, cost = jr.bird(prior, operator, settings=settings), 0
    else:
        search = jr.invert2restore(prior, operator, settings=settings)
        cost = first_cost(settings.origin, settings, prior)
    if job.density == "no hinge":
        search = Unhinged(**{field.name: getattr(search, field.name) for field in fields(search)})
    if FIRST.get(job.method) == "measurement":
        calm = jr.restore(blind, y, key, chunk_size=1)
        y, cost = calm.image, int(calm.iterations) * round_cost(prior)
    result = jr.restore(search, y, key, chunk_size=1000, devices="all")
    return result, settings.iterations * (1000 // settings.skip) * settings.restarts + cost


def is_tried(task: str, method: str, prior: jr.Prior) -> bool:
    """Not the tuned default under another name, nor on minor tasks what is tried on the two main ones."""
    default = jr.settings_for("invert2restore", TASKS[task], prior).origin
    if FIRST.get(method) == default or (method == "BIRD, restarts" and task not in MAIN):
        return False
    if method == "rectified first":  # of the others there is no image to rectify
        return task == "motion"
    return method != "operator fixed" or task in FIXED


def jobs_of(tasks: list[str], prior: jr.Prior) -> list[Job]:
    """The table's: what uses the density with and without it, the default without its hinge, too; then the sweep's."""
    jobs = []
    for variants in (False, True):
        for task in tasks:
            for method in METHODS:
                if (method in VARIANTS) == variants and is_tried(task, method, prior):
                    forms = ("",) if method in ALONE else ("hinge", "off")
                    forms += ("no hinge",) * (method == "partially blind")
                    jobs += [Job(task, method, form) for form in forms]
    weighted = [Job(SWEPT, "partially blind", form, weight) for weight in WEIGHTS for form in ("hinge", "no hinge")]
    return jobs + weighted * (SWEPT in tasks)


def entry(job: Job, name: str, prior: jr.Prior) -> Row:
    """What a row is known by: the weight is among its settings."""
    settings = values_of(settings_of(job, prior))
    return {"task": job.task, "method": job.method, "density": job.density, "settings": settings, "name": name}


def share(job: Job, photographs: int) -> int:
    """How many photographs a job has."""
    brief = (job.method, job.density) in BRIEF.values() and job.weight == TUNED
    return photographs if brief else (photographs + 3) // 4


def measured(job: Job, about: Row, image: flowers.Photograph, prior: jr.Prior, options: Any) -> tuple[Row, np.ndarray]:
    """A row of scores, and the picture: degraded, restored, the photograph."""
    problem = posed(job.task, about["name"], image, prior, options.out / "given")
    truth = problem.clean
    seen = jax.image.resize(problem.y, truth.shape, "cubic")
    result, evaluations = restored(job, problem, prior)
    assert result.restarts is not None
    found, samples = result.image, result.restarts.image
    pair, before = (metrics.registered(x, truth) if job.task in SHIFTED else (x, truth) for x in (found, seen))
    row = {**about, "evaluations": evaluations, "input": float(metrics.psnr(*before))}
    row |= {"psnr": float(metrics.psnr(*pair)), "ssim": float(metrics.ssim(*pair))}
    if job.method != "fully blind":
        row["untypical"] = float(jnp.mean(untypical(result.restarts.noise)))
    if job.method not in ("fully blind", "operator known"):
        row |= {f"{name} at the start": error for name, error in errors(problem.start, problem.truth).items()}
        row |= errors(result.operator, problem.truth)
    if job.method == "partially blind" and len(samples) > 1:
        error = jnp.mean(jnp.abs(samples.mean(0) - truth), axis=-1)
        row["rank"] = float(metrics.rank_correlation(metrics.uncertainty(samples), error))
    return row, np.stack([seen, found, truth])


@jax.jit
def untypical(noise: jax.Array) -> jax.Array:
    """The sum of the terms without their hinge: 5 on fresh noise."""
    return jnp.asarray(sum(terms(noise)))


def main() -> None:
    parser = workers.parser(__doc__, "out/partially_blind")
    parser.add_argument("--photographs", type=int, default=16, help="of the brief table; a quarter of all else")
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    options = parser.parse_args()
    prior = flowers.prior()
    images = flowers.with_scenes(options.data, "test", POOL)  # of which any number are the first
    jobs = jobs_of(options.tasks, prior)

    def work(index: int) -> None:
        workers.keep_programs(options.out)
        for job in jobs[index :: options.workers]:
            plan = [entry(job, name, prior) for name in list(images)[: share(job, options.photographs)]]
            for about in missing(NAME, workers.unmeasured(plan, options.out), ABOUT, "name"):
                row, picture = measured(job, about, images[about["name"]], prior, options)
                workers.append(options.out / f"results-{index}.jsonl", row)
                if about["name"] == next(iter(images)) and job.weight == TUNED:
                    np.save(options.out / reporting.picture_name(*job[:3]), picture)

    workers.in_workers(work, options.out, options.workers)
    reporting.report(options.out, options.docs)


if __name__ == "__main__":
    main()
