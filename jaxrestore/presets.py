"""Settings by name: the published ones of each method, and those measured to restore best with a given prior.

`preset("bird", "denoise")` answers "which learning rate and how many iterations?". "paper" holds what the papers and the
published code say, where one is silent our reading with its reason; a prior's name holds what was tuned for it on
photographs that appear in no table (`experiments/tune.py`).
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from jaxrestore.operators.blur import Boundary
from jaxrestore.schedule import GridName

TaskName = Literal["denoise", "inpaint", "super-resolution", "deblur", "blind-deblur"]
TASKS: tuple[str, ...] = get_args(TaskName)


AROUND = ("restarts", "combine", "kernel", "boundary")  # settings around a method, not of it


@dataclass(frozen=True)
class Preset:
    """How a method is run on a task: its own settings, then (`AROUND`) those of the driver and of the operator."""

    noise_lr: float
    iterations: int
    operator_lr: float = 2e-4
    skip: int = 100
    grid: GridName = "published"
    clip: bool = True
    loss: Literal["mean_square", "norm"] = "mean_square"
    decay: Literal["constant", "cosine"] = "constant"  # of the rates, over the iterations
    answer: Literal["last", "best"] = "last"
    restarts: int = 1
    combine: Literal["best", "mean"] = "best"
    kernel: Literal["softmax", "generator"] = "softmax"  # how an unknown kernel is parametrised
    boundary: Boundary = "reflect"  # of a blur


# BIRD: the published code's grid, clipping, loss and rates. It has no known-kernel deblurring: rate and iterations of the
# paper's text ("for all our experiments").
_BIRD_PAPER = {
    "denoise": Preset(0.01, 200),
    "inpaint": Preset(0.01, 200),
    "super-resolution": Preset(0.001, 100),
    "deblur": Preset(0.003, 200, boundary="zero"),
    "blind-deblur": Preset(0.003, 100, operator_lr=2e-4, kernel="generator", boundary="zero"),
}

# SHRED: its paper's grid t = T, ..., skip, no clipping, the norm (not its square) as loss, one rate for noise and operator.
# The paper has no denoising and no known-kernel deblurring: 0.003 is what it calls competitive for all tasks, and the
# iterations are those of its deconvolution.
_SHRED = Preset(0.003, 150, operator_lr=0.003, grid="paper", clip=False, loss="norm")
_SHRED_PAPER = {
    "denoise": _SHRED,
    "inpaint": replace(_SHRED, noise_lr=0.01, iterations=200),
    "super-resolution": replace(_SHRED, iterations=50),
    "deblur": _SHRED,
    "blind-deblur": replace(_SHRED, kernel="generator", boundary="zero"),
}

# Tuned for the embedded prior on the tuning half of the held-out photographs (`experiments/tune.py`, `docs/tuning.md`):
# higher rates that decay to zero reach a better image in fewer iterations, and the mean image of a few restarts is nearer
# to the truth than any of them.
_TUNED = Preset(0.05, 60, operator_lr=0.01, decay="cosine", combine="mean")
_BIRD_FLOWERS64 = {
    "denoise": replace(_TUNED, restarts=3),
    "inpaint": replace(_TUNED, restarts=2),
    "super-resolution": replace(_TUNED, noise_lr=0.03, iterations=40, restarts=8),
    "deblur": replace(_TUNED, noise_lr=0.03, iterations=160, restarts=2),
    "blind-deblur": replace(_TUNED, noise_lr=0.03, iterations=160, restarts=2),
}

PRESETS: dict[str, dict[str, dict[str, Preset]]] = {
    "bird": {"paper": _BIRD_PAPER, "flowers64": _BIRD_FLOWERS64},
    "shred": {"paper": _SHRED_PAPER},  # BIRD's tuned rates let a noise that no sphere holds reproduce the degradation
}


def preset(method: str, task: str, name: str = "paper") -> Preset:
    """The settings of a method ("bird", "shred") on a task; ValueError for a name that is not known."""
    if method not in PRESETS:
        raise ValueError(f"Unknown method {method!r}; known: {', '.join(PRESETS)}.")
    if task not in TASKS:
        raise ValueError(f"Unknown task {task!r}; known: {', '.join(TASKS)}.")
    if name not in PRESETS[method]:
        raise ValueError(f"Unknown preset {name!r} of {method}; known: {', '.join(PRESETS[method])}.")
    return PRESETS[method][name][task]


def preset_name(method: str, given: str | None, prior_name: str) -> str:
    """The given preset, or that of the prior's name, or "paper" for a prior that has none."""
    return given or (prior_name if prior_name in PRESETS.get(method, {}) else "paper")
