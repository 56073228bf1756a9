"""Restoring files: what `jaxrestore restore` does, for one image or a folder of them."""

import dataclasses
import functools
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore.cli.batches import Batch, batches, is_finished, pipeline, run_of
from jaxrestore.cli.hosts import Hosts
from jaxrestore.cli.job_gen2res import check_kept, constrained_prior, constraint_of, is_shared, read_album
from jaxrestore.cli.job_settings import (
    build_method,
    check_options,
    method_name,
    run_settings,
    settings_around,
    task_name,
)
from jaxrestore.cli.paths import Paths
from jaxrestore.cli.tasks import task_operator
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.storage import load_prior
from jaxrestore.diffusion.tiling import tiled
from jaxrestore.errors import InputError
from jaxrestore.files.images import open_image, read_image
from jaxrestore.files.inputs import read_measurement
from jaxrestore.files.record import plain, put_back, settings_of, write
from jaxrestore.methods._diip import early_stop
from jaxrestore.methods.settings import Preset, preset_name
from jaxrestore.metrics.fidelity import data_residual
from jaxrestore.operators import measure_shape
from jaxrestore.operators.chains import default_kernel_size
from jaxrestore.solve.driver import restore
from jaxrestore.solve.stopping import Stop


class Problem(NamedTuple):
    """One image, read and ready."""

    entry: Paths
    operator: Any
    y: np.ndarray
    reference: np.ndarray | None
    size: tuple[int, int]  # of the image that is looked for


class Ready(NamedTuple):
    """A batch that has been read."""

    batch: Batch
    problems: list[Problem]
    failures: list[str]
    runs: dict[Paths, str]


@dataclasses.dataclass(frozen=True)
class Job:
    """What is the same for every batch."""

    options: Any
    settings: Preset
    prior: Callable[[Problem], Prior]  # for one image, or for all alike
    shape: tuple[int, int, int]  # the prior's
    alone: bool  # one image a batch, and others may follow one that fails
    restarts: int
    combine: Any
    run: tuple[Any, ...]  # what else decides what becomes of an image

    def read(self, batch: Batch) -> Ready | None:
        """The images of a batch, or None if all have been restored before."""
        runs = {entry: run_of(entry, *self.run) for entry in batch.entries}
        redo = self.options.redo or not self.options.input.is_dir()
        pending = {entry for entry, run in runs.items() if redo or not is_finished(entry, run)}
        if not pending:
            print(f"{batch.entries[0].input} to {batch.entries[-1].input.name}: restored before")
            return None
        problems, failures = [], []
        for entry in batch.entries:
            try:
                problems.append(read_problem(self.options, self.settings, entry, self.shape))
            except (InputError, ValueError) as error:  # of an operator that doesn't fit the prior's shape
                failures.append(str(error))
        if not any(problem.entry in pending for problem in problems):
            problems = []
        return Ready(batch, problems, failures, runs)

    def restore(self, ready: Ready) -> Sequence[Callable[[], str | None]]:
        """Restore a batch; what is left is to write each image, or to say what failed."""
        said = [functools.partial(str, failure) for failure in ready.failures]
        if not ready.problems:
            return said
        try:
            found, about = restore_batch(self, self.prior(ready.problems[0]), ready.problems, ready.batch.width)
        except InputError as error:  # of one image among others
            if not self.alone:
                raise
            return [*said, functools.partial(str, f"{ready.problems[0].entry.input}: {error}")]
        writes = []
        for i, problem in enumerate(ready.problems):
            one = jax.tree.map(lambda leaf, i=i: leaf[i], found)
            known = {**about, "run": ready.runs[problem.entry]}
            writes.append(functools.partial(self.write, problem, one, known))
        return [*said, *writes]

    def write(self, problem: Problem, result: Any, about: dict[str, Any]) -> str | None:
        """The files of one image; the sentence of a failure."""
        try:
            write(problem, result, about, self.options.uncertainty)
        except InputError as error:
            return str(error)
        return None


def run_job(options: Any, entries: list[Paths], here: Hosts | None = None) -> list[str]:
    """Restore this host's share of the entries, in batches that share an operator; the sentences of those that failed."""
    here = here or Hosts()
    options = dataclasses.replace(options, task=task_name(options))
    check_options(options, entries)
    prior = load_prior(options.prior, dtype=options.dtype)
    options = dataclasses.replace(options, method=method_name(options))
    settings, drawn = settings_around(options, prior), options.method == "gen2res"
    constraint = constraint_of(options, prior) if drawn else None
    restarts, combine = options.restarts or settings.restarts, options.combine or settings.combine
    if options.uncertainty and restarts < 2:
        raise InputError("--uncertainty is the spread over restarts: give --restarts 2 or more.")
    identity = options.task in ("denoise", "blind") or settings.operator == "identity"
    if options.discrepancy > 0 and (options.noise_level == 0 or (options.noise_level is None and not identity)):
        raise InputError("--discrepancy needs --noise-level: it stops where the data term reaches it.")
    if options.noise_level is None:  # of several denoised images none can be called the best without it
        decides = options.discrepancy > 0 or (combine == "best" and restarts > 1)
        options = dataclasses.replace(options, noise_level="auto" if identity and decides else 0.0)
    # The searches of one image stay together; with "auto" each image has a noise level, and so a batch, of its own; and
    # with tiles a size.
    own_prior = drawn and not is_shared(options)
    alone = own_prior or options.noise_level == "auto"
    size = 1 if alone or options.fit == "tile" else max(1, options.batch_size // restarts)
    if here.number > 1 and (options.checkpoint is not None or options.save_prior is not None):
        raise InputError("--checkpoint and --save-prior are for one host; several go on batch by batch.")
    album = None
    if constraint is not None:
        if own_prior and options.fit == "tile":
            raise InputError(
                "--method gen2res --fit tile needs --album or --finetune-steps 0: one prior for all sizes."
            )
        check_kept(options, entries)
        album = read_album(options, entries, prior.shape)

    @functools.cache
    def shared() -> Prior:
        return prior if constraint is None else constrained_prior(options, constraint, prior, album, None, False)

    def own(problem: Problem) -> Prior:
        assert constraint is not None
        return constrained_prior(options, constraint, prior, album, problem, len(entries) > 1)

    run = (run_settings(options), "" if album is None else album.digest)
    several = len(entries) > 1
    prior_of = own if own_prior else lambda problem: shared()
    job = Job(options, settings, prior_of, prior.shape, alone and several, restarts, combine, run)
    return list(pipeline(here.share(batches(entries, size)), job.read, job.restore))


def read_problem(options: Any, settings: Preset, entry: Paths, shape: tuple[int, int, int]) -> Problem:
    """The files of one image; InputError names the one at fault."""
    options = dataclasses.replace(options, mask=entry.mask)
    size = shape[:2]
    if options.fit == "tile":
        if options.kernel_size is None:  # in proportion to the prior's images, not to the photograph
            options = dataclasses.replace(options, kernel_size=default_kernel_size(size))
        factor = 1  # where pixels or a kernel are given
        if entry.mask is None and options.kernel is None:
            factor = shape[0] // measure_shape(task_operator(options.task, size, settings, options), shape)[0]
        size = tiled_size(entry, factor, shape)
    operator = task_operator(options.task, size, settings, options, options.fit)
    y = read_measurement(entry.input, operator, (*size, shape[2]), options.fit)
    if options.fit != "exact" and entry.input.suffix != ".npy":
        print(f"{entry.input}: taken as {y.shape[0]} x {y.shape[1]} pixels (--fit {options.fit})", file=sys.stderr)
    reference = None if entry.reference is None else read_image(entry.reference, size, options.fit)
    return Problem(entry, operator, y, reference, size)


def tiled_size(entry: Paths, factor: int, shape: tuple[int, int, int]) -> tuple[int, int]:
    """(height, width) of the image of any size that a file is of, reduced by `factor`: a multiple of that, and of 8, which
    patches of noise tile."""
    if entry.input.suffix == ".npy":
        raise InputError(f"{entry.input} is no image: --fit tile cuts photographs.")
    image, unit = open_image(entry.input), math.lcm(8, factor)
    height, width = image.height * factor, image.width * factor
    if (height, width) == shape[:2]:
        return height, width
    height, width = (side // unit * unit for side in (height, width))
    if height < shape[0] or width < shape[1]:
        raise InputError(
            f"{entry.input} is of an image of {height} x {width} pixels, smaller than the prior's {shape[0]} x {shape[1]}: "
            "pass --fit resize."
        )
    return height, width


def restore_batch(job: Job, prior: Prior, batch: list[Problem], width: int) -> tuple[Any, dict[str, Any]]:
    """Restore images that share an operator in one program, filled up to `width` of them: the results, on the host, and what
    the record says of them."""
    options, operator, count = job.options, batch[0].operator, len(batch)
    if options.fit == "tile":
        prior = tiled(prior, *batch[0].size)
    y = jnp.stack([batch[min(i, count - 1)].y for i in range(width)])
    method = build_method(options, job.settings, prior, operator, y)
    stop = Stop(discrepancy=options.discrepancy, slope=options.slope, window=options.window)
    if options.method == "diip" and not (options.discrepancy or options.slope or options.window):
        stop = early_stop(preset_name(options.method, options.preset, prior.name))
    began = time.perf_counter()
    result = restore(
        method,
        y,
        jax.random.key(options.seed),
        restarts=job.restarts,
        combine=job.combine,
        stop=stop,
        batch_size=options.batch_size,
        devices=None if options.devices == 1 else options.devices,
        checkpoint=None if options.checkpoint is None else options.checkpoint / batch[0].entry.output.stem,
        progress=True,
    )
    keep = options.noise_level == 0 if options.keep_known is None else options.keep_known
    data_term = jax.vmap(data_residual)(result.operator, result.image, y)  # before anything is put back
    image = put_back(result.image, y, operator) if keep else result.image
    samples = jnp.moveaxis(result.samples, 0, 1)  # image by image
    result = dataclasses.replace(result, image=image, data_term=data_term, samples=samples)
    result = jax.device_get(jax.tree.map(lambda leaf: leaf[:count], result))
    seconds = (time.perf_counter() - began) / count
    around = {"restarts": job.restarts, "combine": job.combine, "seconds": seconds}
    about = {"options": plain(options), "method": settings_of(method), **around}
    if options.method == "gen2res":
        about["constraint"] = dataclasses.asdict(constraint_of(options, prior))
    return result, about
