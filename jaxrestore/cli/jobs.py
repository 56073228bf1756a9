"""Restoring files: what `jaxrestore restore` does with a plan, for one image or a folder of them."""

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxrestore.cli.album import Priors, priors_for
from jaxrestore.cli.announce import Announcer, seconds_in_parts
from jaxrestore.cli.batches import Batch, in_batches, is_finished, pipeline, run_of
from jaxrestore.cli.hosts import Hosts
from jaxrestore.cli.paths import Entry
from jaxrestore.cli.plan import Plan
from jaxrestore.cli.problems import Problem, read_problem
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.sizes import sized
from jaxrestore.diffusion.tiling import tiled
from jaxrestore.errors import InputError
from jaxrestore.methods import Method
from jaxrestore.operators import described, is_blind, middle
from jaxrestore.runtime.checkpoints import remove_checkpoints
from jaxrestore.solve import Restoration, restore
from jaxrestore.solve.record import Record, write_restoration
from jaxrestore.solve.result import image_of

LARGE = 1 << 20  # pixels, of which a single evaluation is worth telling how long it takes


class Ready(NamedTuple):
    """A batch that has been read."""

    batch: Batch
    problems: list[Problem]
    failures: list[str]
    runs: dict[Entry, str]


@dataclasses.dataclass(frozen=True)
class Job:
    """What is the same for every batch."""

    plan: Plan
    priors: Priors
    folder: bool  # INPUT is one
    several: bool  # images
    decided: Record  # what decides what becomes of an image, but for its own files
    announcer: Announcer

    @property
    def alone(self) -> bool:
        """Whether each image is a batch of its own: its prior, its noise level or its quality is."""
        return not self.priors.shared or self.plan.sigma == "auto" or self.plan.reads_quality

    @property
    def size(self) -> int:
        """Images a batch, so that the searches of one image stay together; or one, where each has a size of its own."""
        if self.alone or self.plan.own_sizes or self.plan.fit == "tile":
            return 1
        return max(1, self.plan.run.batch_size // self.plan.method.restarts)

    def read(self, batch: Batch) -> Ready | None:
        """The images of a batch, or None if all have been restored before."""
        runs = {entry: run_of(entry, self.decided) for entry in batch.entries}
        redo = self.plan.run.redo or not self.folder
        pending = {entry for entry, run in runs.items() if redo or not is_finished(entry, run)}
        if not pending:
            print(f"{batch.entries[0].input} to {batch.entries[-1].input.name}: restored before")
            return None
        problems, failures = [], []
        for entry in batch.entries:
            try:
                problems.append(read_problem(self.plan, entry))
            except ValueError as error:  # InputError, or JAX's own where an operator doesn't fit the prior's shape
                failures.append(str(error))
        if not any(problem.entry in pending for problem in problems):
            problems = []
        return Ready(batch, problems, failures, runs)

    def restore(self, ready: Ready) -> Sequence[Callable[[], str | None]]:
        """Restore a batch; what is left is to write each image, or to say what failed."""
        said = [functools.partial(str, failure) for failure in ready.failures]
        if not ready.problems:
            return said
        first, began = ready.problems[0], time.perf_counter()
        try:
            prior = self.priors.of(first.entry, first.y)
            method, result = restore_batch(self.plan, prior, ready.problems, ready.batch, self.announcer)
        except InputError as error:  # of one image among others
            if not (self.alone and self.several):
                raise
            return [*said, functools.partial(str, f"{first.entry.input}: {error}")]
        seconds = time.perf_counter() - began
        self.announcer.lasted(ready.batch, seconds)
        writes = []
        for i, problem in enumerate(ready.problems):
            entry, about = problem.entry, {"options": self.plan.options, **self.plan.method.about}
            about |= {"seconds": seconds / len(ready.problems), "run": ready.runs[entry]}
            about |= {"input": str(entry.input.absolute())}
            if self.plan.reads_quality and not is_blind(problem.operator):
                about |= {"operator": described(problem.operator)}
            writes.append(functools.partial(self.write, problem, method, image_of(result, i), about))
        return [*said, *writes]

    def write(self, problem: Problem, method: Method, result: Restoration, about: Record) -> str | None:
        """The files of one image, and a line about it; the sentence of a failure."""
        try:
            record = write_restoration(
                problem.entry.files,
                method,
                problem.y,
                result,
                reference=problem.reference,
                uncertainty=self.plan.uncertainty,
                metadata=problem.metadata,
                about=about,
            )
        except InputError as error:
            return str(error)
        self.announcer.written(problem.entry.input, record)
        scores = ""
        if "psnr" in record:
            psnr = record["psnr"] if isinstance(record["psnr"], str) else f"{record['psnr']:.2f}"
            scores = f", PSNR {psnr} dB, SSIM {record['ssim']:.3f}"
        print(f"{problem.entry.files.image}: {record['result']}, data term {record['data_term']:.5f}{scores}")
        return None


def run_job(plan: Plan, entries: list[Entry], folder: bool, here: Hosts | None = None) -> list[str]:
    """Restore this host's share of the entries, in batches that share an operator; the sentences of those that failed."""
    here = here or Hosts()
    if here.number > 1 and (plan.checkpoint is not None or plan.album.save_prior is not None):
        raise InputError("--checkpoint and --save-prior are for one host; several go on batch by batch.")
    priors = priors_for(plan, entries)
    announcer = Announcer(plan)
    job = Job(plan, priors, folder, len(entries) > 1, plan.digest(priors.digest), announcer)
    batches = announcer.batches = here.share(in_batches(entries, job.size))
    failures = list(pipeline(batches, job.read, job.restore))
    if plan.checkpoint is not None and not failures:  # all is written
        for name in {"all", *(entry.files.image.stem for batch in batches for entry in batch.entries)}:
            remove_checkpoints(plan.checkpoint / name)
        with contextlib.suppress(OSError):  # something else is in it
            plan.checkpoint.rmdir()
    return failures


def restore_batch(
    plan: Plan, prior: Prior, problems: list[Problem], batch: Batch, announcer: Announcer
) -> tuple[Method, Restoration]:
    """Restore images that share an operator in one program, filled up to the batch's width: the method, and the result of
    the batch, on the host."""
    first, run, count = problems[0], plan.run, len(problems)
    y = jnp.stack([jnp.asarray(problems[min(i, count - 1)].y) for i in range(batch.width)])
    whole, (rows, columns) = prior, first.frame
    if plan.own_sizes:
        whole = sized(prior, first.size[0] + 2 * rows, first.size[1] + 2 * columns)
        y = jnp.pad(y, ((0, 0), (rows, rows), (columns, columns), (0, 0))) if rows or columns else y
    elif plan.fit == "tile":  # of an image's restarts, which run together
        whole = tiled(prior, *first.size, at_once=max(1, run.batch_size // plan.method.restarts))
    method = plan.method.method(whole, first.operator, plan.sigma_y(first.operator, y))
    announcer.begins(method)
    long = whole is not prior and (not plan.own_sizes or math.prod(first.size) >= LARGE)
    if long and not announcer.estimated:  # an iteration may last for minutes, which is late to be told
        announcer.lasts(batch, seconds_in_parts(method, prior, run.batch_size))
    result = restore(
        method,
        y,
        jax.random.key(plan.seed),
        keep_known=plan.keep_known,
        batch_size=run.batch_size,
        devices=None if run.devices == 1 else run.devices,
        checkpoint=None if plan.checkpoint is None else plan.checkpoint / first.entry.files.image.stem,
        progress=not run.quiet,
        on_estimate=None if announcer.estimated else functools.partial(announcer.lasts, batch),
    )
    return method, jax.device_get(within(result, first.size) if any(first.frame) else result)


def within(result: Restoration, size: tuple[int, int]) -> Restoration:
    """The middle of its images, of a size: without what lies beyond the photograph."""
    restarts = result.restarts and dataclasses.replace(result.restarts, image=middle(result.restarts.image, size))
    return dataclasses.replace(result, image=middle(result.image, size), restarts=restarts)
