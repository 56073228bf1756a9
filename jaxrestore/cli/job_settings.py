"""From flags to a method: which settings, which method of which task, and what can't be meant. For `job`."""

import contextlib
import dataclasses
import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxrestore.cli.degrade import ray_gain
from jaxrestore.cli.job_gen2res import FLAGS, constraint_of
from jaxrestore.cli.paths import Paths, check_overwriting
from jaxrestore.cli.tasks import TASKS, check_task, named_task
from jaxrestore.density.calibration import load_typical
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.storage import prior_folder
from jaxrestore.errors import InputError
from jaxrestore.files.record import plain
from jaxrestore.methods import METHODS, invert2restore
from jaxrestore.methods.settings import Preset, preset, preset_name, settings_name
from jaxrestore import metrics
from jaxrestore.operators import Mask, ParallelBeam
from jaxrestore.runtime.devices import mesh_of
from jaxrestore.solve.constraining import regenerator

CLOSED_FORM = Preset(0.0, 0, operator="identity")  # around a method that descends nowhere
DRAWN = dataclasses.replace(CLOSED_FORM, combine="mean")  # around one whose answers are random draws
IDLE = {  # flags for which it has no use, and how they look where they were not given
    **dict.fromkeys(("iterations", "noise_lr", "operator_lr", "gradient", "restarts", "combine", "preset"), None),
    **dict.fromkeys(("discrepancy", "slope", "window"), 0),
    **dict.fromkeys(("noise_level", "checkpoint", "keep_known"), None),
    "uncertainty": False,
}
DRAWS_WITHOUT = ("noise_lr", "operator_lr", "gradient", "discrepancy", "slope", "window", "noise_level", "keep_known")
# Flags that decide where and when an image is restored, and not what becomes of it.
AROUND = ("input", "output", "devices", "coordinator", "hosts", "host_id", "redo", "checkpoint")
SPARSE = ("compressed-sensing", "tomography")  # no two neighbouring pixels to compare


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
    if options.devices != 1:
        mesh_of(options.devices)


def noise_levels(given: float | str, y: Any, operator: Any) -> Any:
    """The rms noise of the measurement in units of [-1, 1], from grey levels or from the image; over all of its entries."""
    known = operator.known if isinstance(operator, Mask) else None
    if isinstance(operator, ParallelBeam) and given != "auto":
        return jnp.asarray(2 * float(given) / 255 * ray_gain(y))
    level = metrics.estimate_noise_level(y[0], known) if given == "auto" else jnp.asarray(2 * float(given) / 255)
    if not bool(jnp.isfinite(level)):
        raise InputError("--noise-level auto finds no 2 x 2 pixels that are all known: give a number.")
    return level if known is None else level * jnp.sqrt(jnp.mean(known))  # missing pixels have no noise


def run_settings(options: Any) -> dict[str, Any]:
    """All but an image's own files that decides what becomes of it: flags, files that they name, the prior, the packages."""
    kept = {name: value for name, value in plain(options).items() if name not in AROUND}
    digest = hashlib.sha256()
    named = [Path(str(path).partition(":")[0]) for path in (options.kernel, options.operator) if path is not None]
    for path in [*named, *sorted(prior_folder(options.prior).glob("*.json"))]:
        with contextlib.suppress(OSError):  # using it will say what is wrong
            digest.update(path.read_bytes())
    versions = {name: version(name) for name in ("jaxrestore", "jax")}
    return {**kept, **versions, "files": digest.hexdigest(), "device": jax.devices()[0].device_kind}
