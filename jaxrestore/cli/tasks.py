"""The tasks of the command line, one line each: how a task degrades an image, what a restoration knows, what it estimates.

A new task is one line in `TASKS`: a function (building.py) from flags to the operator that degrades, and one to the operator
that is restored with, in which what is known stands and what is not is an unknown leaf. See docs/tasks.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxrestore import operators as ops
from jaxrestore.cli import building
from jaxrestore.cli.building import Size
from jaxrestore.errors import InputError
from jaxrestore.files.images import Fit
from jaxrestore.files.inputs import read_mask


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """Flags that `restore` and `degrade` share."""

    kernel: Path | None = None
    """A blur kernel with odd sides: .npy, FILE.npz:NAME, or a grey image."""
    kernel_size: int | None = None
    """Side of an estimated or a drawn kernel, odd. Default: 41 at 256 pixels, in proportion."""
    mask: Path | None = None
    """inpaint, compressed-sensing: an image whose white pixels are missing; for a folder, one mask, or a folder of masks
    by name."""
    scale: int | None = None
    """Reduction in each direction. Default: 8; 4 in blind-super-resolution, 2 in old-photo."""
    reduction: ops.ReductionName = "average"
    """How the image was reduced: blocks averaged, pixels left out, or bicubic with antialiasing."""
    views: int = 20
    """tomography: number of angles, evenly over half a turn."""
    regions: int = 2
    """nonuniform-deblur: kernels along each side, blended from one to the next."""
    quality: int | None = None
    """jpeg: the codec's quality, 1 to 99. A restoration without it estimates it; degrade's default is 10."""
    operator: Path | None = None
    """In the place of --task: a JSON file with a chain of operators of known and unknown parameters (docs/tasks.md)."""
    gamma: float = 1.0
    """exposure: the exponent of brightness in [0, 1]."""
    seed: int = 0
    """Of everything drawn at random: the same files, seed and settings give the same result."""


@dataclass(frozen=True, kw_only=True)
class DegradeOptions(TaskOptions):
    """Flags of `degrade` alone."""

    box: int | None = None
    """inpaint: side of the missing box, in the middle. Default: 80 at 256 pixels, in proportion."""
    text: str | None = None
    """inpaint: text that is written over the image, instead of a box."""
    fraction: float = 0.05
    """compressed-sensing: share of the pixels that are known."""
    sigmas: tuple[float, float] | None = None
    """Standard deviations of a Gaussian kernel along its axes, in pixels. Default: 8 and 5 at 256 pixels, in proportion."""
    angle: float = 30.0
    """Turn of the Gaussian's axes, in degrees."""
    offset: tuple[float, float] = (0.0, 0.0)
    """The Gaussian's centre, in pixels down and right of the middle."""
    length: float | None = None
    """Length of the camera's path in a motion blur, in pixels. Default: 32 at 256 pixels, in proportion."""
    curvature: float = 1.0
    """How far that path turns, in radians; 0 is a straight line."""
    stops: float = -1.0
    """exposure: brighter by so many powers of two."""
    balance: tuple[float, float] = (1.2, 0.8)
    """exposure: how much stronger red and blue are than green."""


class Task(NamedTuple):
    """One line of the table. The first two are ``(options, size, settings) -> operator`` for images of `size`."""

    restore: Callable[[Any, Size, Any], Any]
    degrade: Callable[[Any, Size, Any], Any]
    known: str
    estimated: str
    papers: str
    flags: str
    method: str = "bird"  # unless another is asked for


def named_task(options: Any) -> str:
    """The task of --task, or that of --operator; InputError unless it is one of the two."""
    if (options.task is None) == (options.operator is None) and options.task != "operator":
        raise InputError("Give --task NAME (see `jaxrestore tasks`) or --operator FILE.json: one of the two.")
    return options.task or "operator"


def check_task(name: str) -> None:
    """InputError for a task that is not in the table."""
    if name not in TASKS:
        raise InputError(f"There is no task {name!r}; there are: {', '.join(TASKS)} (see `jaxrestore tasks`).")


def task_operator(name: str, size: Size, settings: Any, options: TaskOptions | None = None, fit: Fit = "exact") -> Any:
    """The operator that a restoration of images of `size` (height, width) starts from; InputError where a file is missing.

    The preset's `settings` say how an unknown kernel is parametrised and how a blur treats the border.
    """
    if settings.operator == "identity":
        return ops.Identity()
    options = options or TaskOptions()
    return _built(name, TASKS[name].restore, options, size, settings, fit)


def true_operator(name: str, size: Size, options: DegradeOptions) -> Any:
    """The operator that degrades images of `size`; InputError for flags that can't be meant."""
    return _built(name, TASKS[name].degrade, options, size, None, "crop")


def _built(name: str, build: Callable, options: Any, size: Size, settings: Any, fit: Fit) -> Any:
    """What the task's function makes of the flags, or the mask that was given."""
    if options.mask is not None and "--mask" in TASKS[name].flags.split():
        return ops.Mask.create(read_mask(options.mask, size, fit))
    try:
        return build(options, size, settings)
    except ValueError as error:
        raise InputError(str(error)) from error


def kernels_of(operator: Any) -> list[Any]:
    """The kernels ``[k, k]`` of an operator, those of its parts included."""
    if isinstance(operator, ops.Compose):
        return [kernel for part in operator.parts for kernel in kernels_of(part)]
    found = getattr(operator, "kernels", (operator.kernel,) if hasattr(operator, "kernel") else ())
    return [kernel() if callable(kernel) else kernel for kernel in found]


def view(operator: Any, y: Any) -> Any:
    """The measurement as a picture with three channels: a sinogram by filtered back projection, grey thrice."""
    picture = operator.filtered_back_projection(y) if isinstance(operator, ops.ParallelBeam) else y
    return jnp.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture


_IDENTITY, _GREY, _REDUCED = building.always(ops.Identity()), building.always(ops.Grayscale()), building.reduce(8)
_PIXELS, _ONE_KERNEL, _REDUCTION = "which pixels are missing", "that one kernel blurred it", "--scale --reduction"
OURS = "invert2restore"
TASKS: dict[str, Task] = {
    # name: how to restore, how to degrade, what is known, what is estimated, whose task it is, its flags
    "denoise": Task(_IDENTITY, _IDENTITY, "that the noise is white", "", "BIRD", "--noise-level"),
    "inpaint": Task(building.known_mask, building.box_or_text, _PIXELS, "", "SHRED, BIRD", "--mask"),
    "compressed-sensing": Task(building.known_mask, building.random_pixels, _PIXELS, "", "SHRED", "--mask"),
    "super-resolution": Task(
        building.reduce(8), building.reduce(8), "the reduction", "", "SHRED, BIRD", "--scale --reduction"
    ),
    "blind-super-resolution": Task(
        building.reduce(4, building.unknown_blur),
        building.reduce(4, building.gaussian_blur),
        "the reduction",
        "a blur kernel before it",
        "BIRD",
        f"{_REDUCTION} --kernel-size",
    ),
    "deblur": Task(building.given_blur, building.gaussian_blur, "the kernel", "", "", "--kernel"),
    "blind-deblur": Task(
        building.unknown_blur,
        building.gaussian_blur,
        _ONE_KERNEL,
        "the kernel",
        "SHRED, BIRD",
        "--kernel-size",
    ),
    "motion-deblur": Task(building.given_blur, building.motion_blur, "the kernel", "", "", "--kernel"),
    "blind-motion-deblur": Task(
        building.unknown_blur, building.motion_blur, _ONE_KERNEL, "the kernel", "BIRD", "--kernel-size"
    ),
    "nonuniform-deblur": Task(
        building.unknown_varying,
        building.motion_varying,
        "that a few kernels blurred it",
        "all of them",
        "BIRD",
        "--regions --kernel-size",
    ),
    "jpeg": Task(
        building.codec, building.codec, "that it was a JPEG", "its quality", "Invert2Restore", "--quality", OURS
    ),
    "derain": Task(
        building.rain, building.rain, "that streaks of light were added", "all of them", "Invert2Restore", "", OURS
    ),
    "exposure": Task(
        building.tone, building.tone, "the camera's gamma", "exposure and white balance", "", "--gamma", OURS
    ),
    "operator": Task(
        building.from_file, building.from_file, "what the file says", "what it says is unknown", "", "--operator", OURS
    ),
    "colorize": Task(_GREY, _GREY, "that it is the luma", "", "", ""),
    "old-photo": Task(
        building.reduce(2, building.unknown_blur, grey=True),
        building.reduce(2, building.gaussian_blur, grey=True),
        "the reduction",
        "a blur kernel before it",
        "SHRED",
        f"{_REDUCTION} --kernel-size",
    ),
    "blind": Task(_IDENTITY, _IDENTITY, "nothing", "", "Invert2Restore, DIIP, Gen2Res", "", OURS),
    "tomography": Task(building.tomograph, building.tomograph, "the angles", "", "BIRD", "--views"),
}
