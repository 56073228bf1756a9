"""What ``jaxrestore tune`` does: a prior's own settings, found on photographs."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore._files import check_writable
from jaxrestore.cli.choices import Choice
from jaxrestore.cli.flags import MeasurementFlags, part
from jaxrestore.cli.measured import noise_level, photographed
from jaxrestore.cli.tasks import Task, bounded, named_task
from jaxrestore.cli.tune import Tune
from jaxrestore.diffusion.places import check_own, prior_folder
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.sizes import takes_any_size
from jaxrestore.diffusion.storage import load_prior
from jaxrestore.diffusion.tuned import FILE
from jaxrestore.errors import InputError
from jaxrestore.files.folders import list_images
from jaxrestore.files.images import as_stored
from jaxrestore.methods import Method, Settings, settings_for
from jaxrestore.methods.settings import WalkSettings, tried_of
from jaxrestore.operators import is_picture, selected
from jaxrestore.solve.tuning import (
    TIE,
    Example,
    Scored,
    Tunable,
    candidates,
    chosen,
    compare,
    evaluations,
    keep_settings,
    stored_settings,
)


def tune(flags: Tune) -> int:
    """Find the settings, and write them; the exit code."""
    task = named_task(flags.task, flags)
    prior = load_prior(flags.prior)
    choice = task.choice(flags.method, takes_any_size(prior))
    if task.says_kind or not choice.tunable:
        raise InputError(
            f"--task {task.name} with --method {choice.name} has nothing to tune: a file's unknowns have no truth, and "
            "searches and samplers are what has numbers to compare."
        )
    path = _file(flags)
    kind, length = task.kind_for(flags, prior.shape[:2]), len(prior.schedule)
    start: Tunable = settings_for(choice.settings, kind, prior, flags.preset)
    if isinstance(start, Settings) and not task.estimated:  # the operator that degraded, whose border is mirrored
        start = replace(start, boundary="reflect")
    tried = candidates(start, length, flags.evaluations)
    files = list_images(flags.photographs)
    files = files[:: -(-len(files) // flags.count)]
    examples = [_example(flags, file, number, task, choice, prior, start) for number, file in enumerate(files)]
    print(
        f"{flags.photographs}: {len(examples)} photographs, {len(tried)} candidates of {flags.evaluations} evaluations"
    )
    scored = []
    for one in compare(tried, examples, jax.random.key(flags.seed)):
        scored.append(one)
        print(f"{_words(one.settings)}: PSNR {one.psnr:.2f} dB, gradient deviation {one.gradient_deviation:.4f}")
    best = chosen(scored)
    keep_settings(path, choice.settings, kind, best.settings, _about(flags, task, len(examples), scored, length))
    print(f"{path}: {choice.name} on {kind}: {_words(best.settings)}, PSNR {best.psnr:.2f} dB")
    return 0


def _file(flags: Tune) -> Path:
    """Where the settings go; InputError now, rather than after the work, if they can't."""
    folder = prior_folder(flags.prior)
    path = folder / FILE if flags.out is None else flags.out
    check_own(path.parent, f"copy its folder {path.parent} and tune the copy, or name a file elsewhere with --out.")
    check_writable(path)
    stored_settings(path)
    return path


def _example(
    command: Tune, file: Path, number: int, task: Task, choice: Choice, prior: Prior, start: Tunable
) -> Example:
    """A photograph, ruined by an operator and noise of its own."""
    flags = replace(part(command, MeasurementFlags), seed=command.seed + number)
    size = prior.shape[:2]
    clean, y, exact, truth, _ = photographed(flags, task, file, size)
    told = choice.settled_with(start).operator_settings
    operator = task.start(flags, size, told) if task.estimated else bounded(truth, flags)
    if is_picture(truth):  # as an 8-bit file holds it
        y, exact = (selected(operator, selected(truth, one)) for one in (jnp.asarray(as_stored(y)), exact))
    noisy = not task.blind and (flags.noise == "bird" or noise_level(flags, task) > 0)
    sigma_y = float(jnp.mean((y - exact) ** 2)) ** 0.5 if noisy else 0.0

    def method(settings: Tunable) -> Method:
        return choice.settled_with(settings).method(prior, operator, sigma_y)

    return Example(np.asarray(clean), y, method)


def _about(flags: Tune, task: Task, count: int, scored: list[Scored], length: int) -> dict[str, Any]:
    return {
        "photographs": count,
        "task": task.name,
        "noise": flags.noise,
        "noise_level": None if flags.noise == "bird" else noise_level(flags, task),
        "started_from": flags.preset,
        "chosen_by": f"the best mean PSNR; of those within {TIE} dB of it, the least deviation of gradients",
        "candidates": [
            {
                **{name: getattr(one.settings, name) for name in _names(one.settings)},
                "evaluations": evaluations(one.settings, length),
                "psnr": round(one.psnr, 3),
                "gradient_deviation": round(one.gradient_deviation, 5),
            }
            for one in scored
            if np.isfinite(one.psnr)
        ],
        "versions": {name: version(name) for name in ("jaxrestore", "jax")},
    }


def _names(settings: Tunable) -> tuple[str, ...]:
    """What differs between candidates."""
    if isinstance(settings, WalkSettings):
        return (*tried_of(type(settings)), "steps")
    return ("skip", "iterations", "restarts", "noise_lr", "decay")


def _words(settings: Tunable) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {getattr(settings, name)}" for name in _names(settings))
