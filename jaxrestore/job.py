"""Restoring files: what `jaxrestore restore` does, for one image or a folder of them."""

import dataclasses
import itertools
import sys
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import metrics
from jaxrestore.calibration import load_typical
from jaxrestore.constrain import regenerator
from jaxrestore.degrade import ray_gain
from jaxrestore.errors import InputError
from jaxrestore.images import read_image
from jaxrestore.inputs import read_measurement
from jaxrestore.job_gen2res import FLAGS, check_kept, constrained_prior, constraint_of, is_shared, read_album
from jaxrestore.methods import METHODS, invert2restore
from jaxrestore.methods.diip import early_stop
from jaxrestore.operators import Mask, ParallelBeam
from jaxrestore.outputs import plain, put_back, settings_of, write
from jaxrestore.paths import Paths, check_overwriting
from jaxrestore.presets import Preset, preset, preset_name, settings_name
from jaxrestore.prior import Prior
from jaxrestore.restore import restore
from jaxrestore.search import Restoration
from jaxrestore.stopping import Stop
from jaxrestore.storage import load_prior
from jaxrestore.tasks import TASKS, check_task, named_task, task_operator

CLOSED_FORM = Preset(0.0, 0, operator="identity")  # around a method that descends nowhere
DRAWN = dataclasses.replace(CLOSED_FORM, combine="mean")  # around one whose answers are random draws
IDLE = {  # flags for which it has no use, and how they look where they were not given
    **dict.fromkeys(("iterations", "noise_lr", "operator_lr", "gradient", "restarts", "combine", "preset"), None),
    **dict.fromkeys(("discrepancy", "slope", "window"), 0),
    **dict.fromkeys(("noise_level", "checkpoint", "keep_known"), None),
    "uncertainty": False,
}
DRAWS_WITHOUT = ("noise_lr", "operator_lr", "gradient", "discrepancy", "slope", "window", "noise_level", "keep_known")
SPARSE = ("compressed-sensing", "tomography")  # no two neighbouring pixels to compare


class Problem(NamedTuple):
    """One image, read and ready."""

    entry: Paths
    operator: Any
    y: np.ndarray
    reference: np.ndarray | None


def run_job(options: Any, entries: list[Paths]) -> list[str]:
    """Restore every entry, in batches that share an operator; the sentences of those that failed."""
    options = dataclasses.replace(options, task=task_name(options))
    check_options(options, entries)
    prior = load_prior(options.prior, dtype=options.dtype)
    options = dataclasses.replace(options, method=method_name(options))
    settings, drawn = settings_around(options, prior), options.method == "gen2res"
    constraint = constraint_of(options, prior) if drawn else None
    problems, failures = [], []
    for entry in entries:
        try:
            problems.append(read_problem(options, settings, entry, prior.shape))
        except (InputError, ValueError) as error:  # of an operator that doesn't fit the prior's shape
            failures.append(str(error))
    restarts, combine = options.restarts or settings.restarts, options.combine or settings.combine
    if options.uncertainty and restarts < 2:
        raise InputError("--uncertainty is the spread over restarts: give --restarts 2 or more.")
    identity = options.task in ("denoise", "blind") or settings.operator == "identity"
    if options.discrepancy > 0 and (options.noise_level == 0 or (options.noise_level is None and not identity)):
        raise InputError("--discrepancy needs --noise-level: it stops where the data term reaches it.")
    if options.noise_level is None:  # of several denoised images none can be called the best without it
        decides = options.discrepancy > 0 or (combine == "best" and restarts > 1)
        options = dataclasses.replace(options, noise_level="auto" if identity and decides else 0.0)
    # The searches of one image stay together; with "auto" each image has a noise level, and so a batch, of its own.
    alone = not is_shared(options) if drawn else options.noise_level == "auto"
    size, album = 1 if alone else max(1, options.batch_size // restarts), None
    if constraint is not None and problems:
        check_kept(options, problems)
        album = read_album(options, problems, prior.shape)
        if not alone:
            prior = constrained_prior(options, constraint, prior, album, None, False)
    for _, group in itertools.groupby(problems, lambda problem: problem.entry.mask):
        group = list(group)
        for start in range(0, len(group), size):
            batch, chosen = group[start : start + size], prior
            try:
                if constraint is not None and alone:
                    chosen = constrained_prior(options, constraint, prior, album, batch[0], len(problems) > 1)
                failures += restore_batch(options, settings, chosen, batch, restarts, combine)
            except InputError as error:  # of one image among others
                if len(problems) == 1 or not alone:
                    raise
                failures.append(f"{batch[0].entry.input}: {error}")
    return failures


def task_name(options: Any) -> str:
    """The task that the flags mean: of --operator the file's, and of deblurring without a kernel the blind one."""
    task = named_task(options)
    return f"blind-{task}" if task in ("deblur", "motion-deblur") and options.kernel is None else task


def settings_around(options: Any, prior: Prior) -> Preset:
    """The preset of a method that descends, or what takes its place."""
    if options.method == "gen2res":
        return DRAWN
    try:
        name = preset_name(options.method, options.preset, prior.name)
        return CLOSED_FORM if is_idle(options) else preset(options.method, settings_name(options.task), name)
    except ValueError as error:
        raise InputError(str(error)) from error


def is_idle(options: Any) -> bool:
    """Whether the method is the fully blind one that descends nowhere."""
    return options.task == "blind" and options.method == "invert2restore"


def method_name(options: Any) -> str:
    """The method asked for, or the task's own; InputError for one that is not for the task, or for flags of no use to it."""
    name = options.method or TASKS[options.task].method
    suited = ("invert2restore", "diip", "gen2res") if options.task == "blind" else ("bird", "shred", "invert2restore")
    if name not in suited:
        raise InputError(f"The task {options.task} is not one of --method {name}: give {' or '.join(suited)}.")
    foreign = [flag for flag in FLAGS if getattr(options, flag) is not None]
    if foreign and name != "gen2res":
        raise InputError(f"--{foreign[0].replace('_', '-')} is for --method gen2res.")
    idle = [flag for flag, unset in IDLE.items() if getattr(options, flag) != unset]
    if idle and options.task == "blind" and name == "invert2restore":
        raise InputError(f"--task blind has no use for --{idle[0].replace('_', '-')} unless --method is diip.")
    if name == "gen2res" and (idle := [flag for flag in idle if flag in DRAWS_WITHOUT]):
        raise InputError(f"--method gen2res has no use for --{idle[0].replace('_', '-')}.")
    if name == "gen2res" and options.combine == "best":
        raise InputError("--method gen2res draws at random, and no draw is best: give --combine mean.")
    return name


def build_method(options: Any, settings: Preset, prior: Prior, operator: Any, y: Any) -> Any:
    """The method of a batch, with the settings that the flags replace."""
    if options.method == "gen2res":
        return regenerator(prior, constraint_of(options, prior))
    if is_idle(options):
        return invert2restore(prior, load_typical(options.prior))
    origin = {"typical": load_typical(options.prior)} if settings.origin == "rectified" else {}
    named = {name: getattr(options, name) for name in ("iterations", "noise_lr", "operator_lr", "gradient")}
    return METHODS[options.method](
        prior,
        operator,
        task=settings_name(options.task),
        preset=options.preset,
        noise_level=noise_levels(options.noise_level, y, operator),
        **{name: value for name, value in named.items() if value is not None},
        **origin,
    )


def check_options(options: Any, entries: list[Paths]) -> None:
    """InputError for numbers that can't be meant, or for a file that would be written over one that is read."""
    check_task(options.task)
    for name in ("iterations", "restarts", "batch_size"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1, not {value}.")
    for name in ("noise_lr", "operator_lr", "noise_level", "discrepancy", "slope", "window"):
        value = getattr(options, name)
        if isinstance(value, float | int) and not 0 <= value < float("inf"):
            raise InputError(f"--{name.replace('_', '-')} must be a number from 0 on, not {value}.")
    if options.window == 1:
        raise InputError("--window must be 0 or at least 2: one image has no variance.")
    if options.noise_level == "auto" and ("--scale" in TASKS[options.task].flags or options.task in SPARSE):
        raise InputError("--noise-level auto can't tell noise from detail in so sparse a measurement: give a number.")
    for name in ("mask", "kernel", "operator", "quality"):
        if getattr(options, name) is not None and f"--{name}" not in TASKS[options.task].flags.split():
            raise InputError(f"The task {options.task} takes no --{name}: see `jaxrestore tasks`.")
    check_overwriting(entries, options.kernel, options.operator)


def read_problem(options: Any, settings: Preset, entry: Paths, shape: tuple[int, int, int]) -> Problem:
    """The files of one image; InputError names the one at fault."""
    operator = task_operator(
        options.task, shape[:2], settings, dataclasses.replace(options, mask=entry.mask), options.fit
    )
    y = read_measurement(entry.input, operator, shape, options.fit)
    if options.fit != "exact" and entry.input.suffix != ".npy":
        print(f"{entry.input}: taken as {y.shape[0]} x {y.shape[1]} pixels (--fit {options.fit})", file=sys.stderr)
    reference = None if entry.reference is None else read_image(entry.reference, shape[:2], options.fit)
    return Problem(entry, operator, y, reference)


def restore_batch(
    options: Any, settings: Preset, prior: Prior, batch: list[Problem], restarts: int, combine: Any
) -> list[str]:
    """Restore images that share an operator in one program and write their files; the sentences of those that failed."""
    operator, y = batch[0].operator, jnp.stack([problem.y for problem in batch])
    method = build_method(options, settings, prior, operator, y)
    stop = Stop(discrepancy=options.discrepancy, slope=options.slope, window=options.window)
    if options.method == "diip" and not (options.discrepancy or options.slope or options.window):
        stop = early_stop(preset_name(options.method, options.preset, prior.name))
    began = time.perf_counter()
    result = restore(
        method,
        y,
        jax.random.key(options.seed),
        restarts=restarts,
        combine=combine,
        stop=stop,
        batch_size=options.batch_size,
        checkpoint=None if options.checkpoint is None else options.checkpoint / batch[0].entry.output.stem,
        progress=True,
    )
    keep = options.noise_level == 0 if options.keep_known is None else options.keep_known
    residual = jax.vmap(lambda operator, image, y: jnp.mean((operator(image) - y) ** 2))  # before anything is put back
    data_term = residual(result.operator, result.image, y)
    image = put_back(result.image, y, operator) if keep else result.image
    samples = jnp.moveaxis(result.samples, 0, 1)  # image by image
    result = jax.block_until_ready(dataclasses.replace(result, image=image, data_term=data_term, samples=samples))
    seconds = (time.perf_counter() - began) / len(batch)
    around = {"restarts": restarts, "combine": combine, "seconds": seconds}
    about = {"options": plain(options), "method": settings_of(method), **around}
    if options.method == "gen2res":
        about["constraint"] = dataclasses.asdict(constraint_of(options, prior))
    failures = []
    for i, problem in enumerate(batch):
        try:
            one: Restoration = jax.tree.map(lambda leaf, i=i: leaf[i], result)
            write(problem, one, about, options.uncertainty)
        except InputError as error:
            failures.append(str(error))
    return failures


def noise_levels(given: float | str, y: Any, operator: Any) -> Any:
    """The rms noise of the measurement in units of [-1, 1], from grey levels or from the image; over all of its entries."""
    known = operator.known if isinstance(operator, Mask) else None
    if isinstance(operator, ParallelBeam) and given != "auto":
        return jnp.asarray(2 * float(given) / 255 * ray_gain(y))
    level = metrics.estimate_noise_level(y[0], known) if given == "auto" else jnp.asarray(2 * float(given) / 255)
    if not bool(jnp.isfinite(level)):
        raise InputError("--noise-level auto finds no 2 x 2 pixels that are all known: give a number.")
    return level if known is None else level * jnp.sqrt(jnp.mean(known))  # missing pixels have no noise
