"""A scheduler's config of diffusers: what it says of the forward process, of the prediction, and of how samples are drawn.

Schedulers differ in how they step; the process that a network was trained for is in their betas, which mean the same in all
of those known here. Their other options are about the steps, or were left by another class that the config went through.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from checkpoints_convert.files import read_json
from checkpoints_convert.tensors import ConversionError, understood
from jaxrestore.diffusion import schedule
from jaxrestore.diffusion.prior import Prediction


class Scheduler(NamedTuple):
    """What a network's scheduler says of it."""

    alpha_bar: np.ndarray  # float64 [T]
    prediction: Prediction
    clip: bool  # whether samplers clip their estimates of the image to [-1, 1]
    grid: schedule.GridName  # at which times they visit the network ...
    steps_offset: int  # ... all of them so much later, where the grid is "leading"


class _Defaults(NamedTuple):
    grid: schedule.GridName
    clip: bool | None = None  # None: it never clips, whatever its config says
    betas: tuple[float, float] = (1e-4, 0.02)


_KARRAS = _Defaults("linspace", betas=(0.00085, 0.012))
SCHEDULERS = {
    "DDPMScheduler": _Defaults("leading", True),
    "DDPMParallelScheduler": _Defaults("leading", True),
    "DDIMScheduler": _Defaults("leading", True),
    "DDIMParallelScheduler": _Defaults("leading", True),
    "DDIMInverseScheduler": _Defaults("leading", True),
    "RePaintScheduler": _Defaults("leading", True),
    "PNDMScheduler": _Defaults("leading"),
    "LMSDiscreteScheduler": _Defaults("linspace"),
    "EulerDiscreteScheduler": _Defaults("linspace"),
    "EulerAncestralDiscreteScheduler": _Defaults("linspace"),
    "DPMSolverMultistepScheduler": _Defaults("linspace"),
    "DPMSolverMultistepInverseScheduler": _Defaults("linspace"),
    "DPMSolverSinglestepScheduler": _Defaults("linspace"),
    "DPMSolverSDEScheduler": _KARRAS,
    "DEISMultistepScheduler": _Defaults("linspace"),
    "SASolverScheduler": _Defaults("linspace"),
    "UniPCMultistepScheduler": _Defaults("linspace"),
    "HeunDiscreteScheduler": _KARRAS._replace(clip=False),
    "KDPM2DiscreteScheduler": _KARRAS,
    "KDPM2AncestralDiscreteScheduler": _KARRAS,
}
PREDICTIONS: dict[str, Prediction] = {"epsilon": "noise", "sample": "x0", "v_prediction": "v"}
ONLY = {  # options of another process
    "timestep_type": "discrete",
    "use_flow_sigmas": False,
}
LONGEST = 100_000  # steps
NEARLY_ZERO = 2.0**-24  # what diffusers' solvers leave of the signal at the end of a process that has none there


def scheduler_file(folder: Path) -> Path | None:
    """The config of a model's folder, a pipeline's, or of the pipeline around a `unet/` or a training's ``checkpoint-500/``;
    None where there is none."""
    folder, name = folder.absolute(), "scheduler_config.json"
    around = [folder]
    while re.fullmatch(r"unet|unet_ema|checkpoint-\d+", around[-1].name):
        around.append(around[-1].parent)
    places = [folder / "scheduler" / name, folder / name, *(other / "scheduler" / name for other in around[1:])]
    return next((path for path in places if path.is_file()), None)


def read_scheduler(folder: Path) -> Scheduler | None:
    """That of `scheduler_file`, or None."""
    path = scheduler_file(folder)
    if path is None:
        return None
    with understood(str(path)):
        return scheduler(read_json(path))


def scheduler(config: Mapping[str, Any]) -> Scheduler:
    """The `Scheduler` of a config; ConversionError names a scheduler that is not known, or a value that can't be meant."""
    name = config.get("_class_name", "DDPMScheduler")
    if name not in SCHEDULERS:
        known = ", ".join(known.removesuffix("Scheduler") for known in SCHEDULERS)
        raise ConversionError(
            f"The scheduler {shown(name)} is not known; known: {known}. If its process is that of one of these, say "
            '"schedule" and "prediction" in a file, and give it with --config.'
        )
    given = {key: value for key, value in config.items() if not key.startswith("_") and value is not None}
    if other := [key for key, value in ONLY.items() if given.get(key, value) != value]:
        raise ConversionError(f"A scheduler with {other[0]}={shown(given[other[0]])} can't be followed.")
    defaults = SCHEDULERS[name]
    prediction = given.get("prediction_type", "epsilon" if _flag(given, "predict_epsilon", True) else "sample")
    if prediction not in PREDICTIONS:
        known = ", ".join(PREDICTIONS)
        raise ConversionError(f"The scheduler's prediction_type {shown(prediction)} is not known; known: {known}.")
    alpha_bar = _levels(given, defaults.betas)
    if _flag(given, "rescale_betas_zero_snr", False):
        if prediction == "epsilon":
            raise ConversionError(
                "A schedule with rescale_betas_zero_snr has no signal at its end: a predicted noise tells nothing there."
            )
        alpha_bar = _without_signal_at_its_end(alpha_bar)
    clip = defaults.clip is not None and _flag(given, "clip_sample", defaults.clip)
    if clip and given.get("clip_sample_range", 1) != 1:
        raise ConversionError(
            f"clip_sample_range={shown(given['clip_sample_range'])} is not known: images lie in [-1, 1]."
        )
    grid = given.get("timestep_spacing", defaults.grid)
    if grid not in get_args(schedule.GridName):
        known = ", ".join(get_args(schedule.GridName))
        raise ConversionError(f"The scheduler's timestep_spacing {shown(grid)} is not known; known: {known}.")
    offset = _whole(given, "steps_offset", 0, 0, len(alpha_bar) - 1)
    return Scheduler(alpha_bar, PREDICTIONS[prediction], clip, grid, offset)


def _levels(given: Mapping[str, Any], betas: tuple[float, float]) -> np.ndarray:
    """alpha_bar ``[T]`` before it is rescaled."""
    steps, kind = _whole(given, "num_train_timesteps", 1000, 1, LONGEST), given.get("beta_schedule", "linear")
    first, last = (_number(given, name, beta) for name, beta in zip(("beta_start", "beta_end"), betas, strict=True))
    if (trained := given.get("trained_betas")) is not None:
        if type(trained) is not list or len(trained) > LONGEST:
            raise ConversionError(f"trained_betas must be a list of at most {LONGEST} numbers.")
        levels = schedule.from_betas(trained).alpha_bar
        if len(levels) != given.get("num_train_timesteps", len(levels)):
            raise ConversionError(f"There are {len(levels)} trained_betas for {steps} num_train_timesteps.")
    elif kind in ("linear", "scaled_linear"):
        levels = getattr(schedule, kind)(steps, first, last).alpha_bar
    elif kind == "squaredcos_cap_v2":
        levels = schedule.cosine(steps).alpha_bar
    elif kind == "sigmoid":  # of betas; `schedule.sigmoid` is one of levels
        levels = schedule.from_betas(first + (last - first) / (1 + np.exp(-np.linspace(-6, 6, steps)))).alpha_bar
    else:
        known = "linear, scaled_linear, squaredcos_cap_v2, sigmoid"
        raise ConversionError(f"The scheduler's beta_schedule {shown(kind)} is not known; known: {known}.")
    return np.asarray(levels, np.float64)


def _without_signal_at_its_end(alpha_bar: np.ndarray) -> np.ndarray:
    """Signal levels shifted and stretched to end in none (Lin et al. 2024, algorithm 1), but for `NEARLY_ZERO`."""
    root = np.sqrt(alpha_bar)
    if len(root) < 2 or root[0] == root[-1]:
        raise ConversionError("A schedule that doesn't fall can't be rescaled to rescale_betas_zero_snr.")
    return np.maximum(((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2, NEARLY_ZERO)


def shown(value: Any) -> str:
    """A value of a file for a sentence, however long it is."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _flag(given: Mapping[str, Any], name: str, default: bool) -> bool:
    if type(value := given.get(name, default)) is not bool:
        raise ConversionError(f"{name} must be true or false, not {shown(value)}.")
    return value


def _whole(given: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    if type(value := given.get(name, default)) is not int or not least <= value <= most:
        raise ConversionError(f"{name} must be between {least} and {most}, not {shown(value)}.")
    return value


def _number(given: Mapping[str, Any], name: str, default: float) -> float:
    value = given.get(name, default)
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise ConversionError(f"{name} must lie in [0, 1), not {shown(value)}.")
    return float(value)
