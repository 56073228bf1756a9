"""Settings by name: the published ones of each method, and those measured to restore best with a given prior.

`preset("bird", "denoise")` answers "which learning rate and how many iterations?". "paper" holds what the papers and the
published code say, where one is silent our reading with its reason; a prior's name holds what was tuned for it on
photographs that appear in no table (`experiments/tune.py`). Tasks without a line of their own share the line "any".
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from jaxrestore.diffusion.ddim import GradientMode
from jaxrestore.diffusion.schedule import GridName
from jaxrestore.operators.blur import Boundary

AROUND = (
    "restarts",
    "combine",
    "kernel",
    "boundary",
    "operator",
    "start",
    "origin",
)  # settings around a method, not of it


@dataclass(frozen=True)
class Preset:
    """How a method is run on a task: its own settings, then (`AROUND`) those of the driver and of the operator."""

    noise_lr: float
    iterations: int
    operator_lr: float = 2e-4
    operator_every: int = 0  # 0: Adam on noise and operator together; else a Gauss-Newton step every so many iterations
    operator_from: float = 0.0  # the share of the iterations before the first of them
    damping: float = 0.0  # of those steps
    spread: float = 0.0  # of the unknown leaves of the operator at their start, from one key to another
    density: float | None = None  # weight of the Gaussian-density objective
    density_decay: Literal["constant", "cosine"] = "constant"
    patch: int = 8  # of that objective, and of the patches that are rectified
    rectify_every: int = 0  # iterations between two rectifications; 0: none
    skip: int = 100
    grid: GridName = "published"
    clip: bool = True
    gradient: GradientMode = "frozen"
    loss: Literal["mean_square", "norm"] = "mean_square"
    decay: Literal["constant", "cosine"] = "constant"  # of the rates, over the iterations
    answer: Literal["last", "best"] = "last"
    restarts: int = 1
    combine: Literal["best", "mean"] = "best"
    kernel: Literal["softmax", "gaussian", "generator"] = "softmax"  # how an unknown kernel is parametrised
    boundary: Boundary = "reflect"  # of a blur
    operator: Literal["task", "identity"] = "task"  # identity: fully blind, whatever the task knows
    origin: Literal["fresh", "rectified"] = "fresh"  # the noise that a search starts from (`partially_blind`)
    start: float = 0.1  # deviation of an unknown kernel at its start, of its side; a generator starts as it is drawn


# BIRD: the published code's grid, clipping, loss and rates for the five tasks that it has. Everything else, known-kernel
# deblurring and tomography of the paper's appendix among it, has the rate and the iterations of the paper's text ("for all
# our experiments"), the code's zero padding, and for an unknown kernel its generator and rate.
_BIRD = Preset(0.003, 200, operator_lr=2e-4, kernel="generator", boundary="zero")
_BIRD_PAPER = {
    "any": _BIRD,
    **dict.fromkeys(("deblur", "motion-deblur", "tomography", "blind-super-resolution"), _BIRD),
    "denoise": replace(_BIRD, noise_lr=0.01),
    "inpaint": replace(_BIRD, noise_lr=0.01),
    "super-resolution": replace(_BIRD, noise_lr=0.001, iterations=100),
    "blind-deblur": replace(_BIRD, iterations=100),
    "blind-motion-deblur": replace(_BIRD, iterations=100),
    # the published code restores it with H = identity, and relies on stopping early
    "nonuniform-deblur": replace(_BIRD, noise_lr=0.002, iterations=25, operator="identity"),
}

# SHRED: its paper's grid t = T, ..., skip, no clipping, the norm (not its square) as loss, one rate for noise and operator.
# 0.003 is what the paper calls competitive for all tasks, with the iterations of its deconvolution.
_SHRED = Preset(
    0.003, 150, operator_lr=0.003, grid="paper", clip=False, loss="norm", kernel="generator", boundary="zero"
)
_SHRED_PAPER = {
    "any": _SHRED,
    "inpaint": replace(_SHRED, noise_lr=0.01, iterations=200),
    "compressed-sensing": replace(_SHRED, noise_lr=0.01),
    "super-resolution": replace(_SHRED, iterations=50),
    "old-photo": replace(_SHRED, iterations=50),  # the paper's mixture of grayscale and super-resolution
}

# Tuned for the embedded prior on the tuning half of the held-out photographs (`experiments/tune.py`, `docs/tuning.md`):
# higher rates that decay to zero reach a better image in fewer iterations; v is constant, so that clipped pixels come back;
# three steps an iteration and more iterations beat ten steps and fewer; the mean image of two restarts is nearer to the
# truth than either. Where one answer of many has little worth, more of them are the default.
_TUNED = Preset(0.05, 100, skip=333, gradient="frozen_v", decay="cosine", restarts=2, combine="mean")
_MANY = replace(_TUNED, noise_lr=0.03, iterations=60, restarts=8)

# An unknown kernel is found by Gauss-Newton steps once an image has formed, and starts narrow: with one that is too wide
# images ring, which explains the measurement all the same and gives the kernel back. With noise in the measurement, images
# of three steps explain the noise with whatever kernel: five steps and fewer iterations.
_STEPS: dict[str, Any] = {"operator_every": 10, "operator_from": 0.45, "damping": 2e-6}
_SMOOTH: dict[str, Any] = _STEPS | {"kernel": "gaussian", "damping": 1e-5}  # five numbers are found better than 121
_BLIND = replace(_TUNED, iterations=60, skip=200, **_STEPS)
_BLIND_SMOOTH = replace(_BLIND, **_SMOOTH)
_BIRD_FLOWERS64 = {
    "any": _TUNED,
    "denoise": replace(_TUNED, iterations=60, skip=100, restarts=1),  # anything more reproduces noise
    "super-resolution": _MANY,
    "colorize": replace(_TUNED, restarts=8),
    "blind-deblur": _BLIND_SMOOTH,
    "blind-super-resolution": _BLIND_SMOOTH,
    "old-photo": _BLIND_SMOOTH,
    "blind-motion-deblur": _BLIND,
    "nonuniform-deblur": _BLIND,
}

# SHRED's noise is free to leave the sphere, and its measurements are free of noise: further steps still help, but where the
# noise would be reproduced.
_SHARP = replace(_TUNED, iterations=133)
_SHARP_SMOOTH = replace(_SHARP, **_SMOOTH)
_SHARP_MOTION = replace(_BLIND, iterations=80)
_SHRED_FLOWERS64 = {
    "any": _SHARP,
    "denoise": replace(_TUNED, iterations=40, skip=200),
    "super-resolution": _MANY,
    "colorize": replace(_TUNED, restarts=8),
    "blind-deblur": _SHARP_SMOOTH,
    "blind-super-resolution": _SHARP_SMOOTH,
    "old-photo": _SHARP_SMOOTH,
    "blind-motion-deblur": _SHARP_MOTION,
    "nonuniform-deblur": _SHARP_MOTION,
}

# DIIP: Adam at 0.0015 without the sphere, BIRD's unroll, H = identity; what restores is where it stops (methods/diip.py).
_DIIP = Preset(0.0015, 1500, operator="identity")
_DIIP_FLOWERS64 = replace(_DIIP, noise_lr=0.05, iterations=120, skip=333)

# Invert2Restore with an operator: the published rate and steps of its sibling BIRD, and our reading's density objective.
# Tuned, at the network evaluations of BIRD's tuned defaults: Gauss-Newton steps earlier and more often; where a kernel is
# hardly seen, behind a reduction, they are damped strongly, and more restarts of fewer steps are averaged.
_JOINT = Preset(0.003, 200, density=1e-5)
_EARLY: dict[str, Any] = {"density": 1e-6, "operator_every": 5, "operator_from": 0.3}
_JOINT_SMOOTH = replace(_BLIND_SMOOTH, **_EARLY)
_JOINT_REDUCED = replace(_JOINT_SMOOTH, skip=333, iterations=66, restarts=3, damping=1e-3)
_JOINT_MOTION = replace(_BLIND, **_EARLY, skip=250, iterations=75)
_JOINT_FLOWERS64 = {
    "any": _JOINT_SMOOTH,
    "blind-super-resolution": _JOINT_REDUCED,
    "old-photo": _JOINT_REDUCED,
    "blind-motion-deblur": _JOINT_MOTION,
    "nonuniform-deblur": _JOINT_MOTION,
    # a layer of light has its sparsity from Adam's objective; a codec's image is near enough that gentle steps on a fine
    # grid from the rectified noise are all that doesn't lose more than it finds
    # brightness and colour can only be told by the density: without its weight a dark picture is a dark flower
    "exposure": replace(_JOINT_SMOOTH, density=1e-3, operator_from=0.1, damping=1e-7),
    "derain": replace(_TUNED, density=1e-6, operator_lr=0.01),
    "jpeg": replace(
        _TUNED, density=1e-7, origin="rectified", skip=50, clip=False, noise_lr=0.001, iterations=10, restarts=1
    ),
}

PRESETS: dict[str, dict[str, dict[str, Preset]]] = {
    "bird": {"paper": _BIRD_PAPER, "flowers64": _BIRD_FLOWERS64},
    "shred": {"paper": _SHRED_PAPER, "flowers64": _SHRED_FLOWERS64},
    "diip": {"paper": {"any": _DIIP}, "flowers64": {"any": _DIIP_FLOWERS64}},
    "invert2restore": {"paper": {"any": _JOINT}, "flowers64": _JOINT_FLOWERS64},
}


TASK_NAMES = tuple(dict.fromkeys(task for named in PRESETS.values() for tasks in named.values() for task in tasks))


def preset(method: str, task: str, name: str = "paper") -> Preset:
    """The settings of a method ("bird", "shred") on a task, or on "any"; ValueError for a name that is not known."""
    if method not in PRESETS:
        raise ValueError(f"Unknown method {method!r}; known: {', '.join(PRESETS)}.")
    if task not in TASK_NAMES:
        raise ValueError(f"Unknown task {task!r}; known: {', '.join(TASK_NAMES)}.")
    if name not in PRESETS[method]:
        raise ValueError(f"Unknown preset {name!r} of {method}; known: {', '.join(PRESETS[method])}.")
    return PRESETS[method][name].get(task, PRESETS[method][name]["any"])


def settings_name(task: str) -> str:
    """The name under which a task's settings stand: its own, or "any" for one that the presets don't know."""
    return task if task in TASK_NAMES else "any"


def preset_name(method: str, given: str | None, prior_name: str) -> str:
    """The given preset, or that of the prior's name, or "paper" for a prior that has none."""
    return given or (prior_name if prior_name in PRESETS.get(method, {}) else "paper")
