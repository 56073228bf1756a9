"""The tasks of the command line, one line each: how a task degrades an image, what a restoration knows, what it estimates.

A new task is one line in `TASKS`: a function from flags to the operator that degrades, and one to the operator that is
restored with, in which what is known stands and what is not is an unknown leaf. See docs/tasks.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import operators as ops
from jaxrestore.errors import InputError
from jaxrestore.images import Fit
from jaxrestore.inputs import read_kernel, read_mask

Size = tuple[int, int]


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
    reduction: Literal["average", "stride", "bicubic"] = "average"
    """How the image was reduced: blocks averaged, pixels left out, or bicubic with antialiasing."""
    views: int = 20
    """tomography: number of angles, evenly over half a turn."""
    regions: int = 2
    """nonuniform-deblur: kernels along each side, blended from one to the next."""
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


class Task(NamedTuple):
    """One line of the table. The first two are ``(options, size, settings) -> operator`` for images of `size`."""

    restore: Callable[[Any, Size, Any], Any]
    degrade: Callable[[Any, Size, Any], Any]
    known: str
    estimated: str
    papers: str
    flags: str


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
    if options.mask is not None and "--mask" in TASKS[name].flags:
        return ops.Mask.create(read_mask(options.mask, size, fit))
    return _built(TASKS[name].restore, options, size, settings)


def true_operator(name: str, size: Size, options: DegradeOptions) -> Any:
    """The operator that degrades images of `size`; InputError for flags that can't be meant."""
    if options.mask is not None and "--mask" in TASKS[name].flags:
        return ops.Mask.create(read_mask(options.mask, size))
    return _built(TASKS[name].degrade, options, size, None)


def _built(build: Callable, options: Any, size: Size, settings: Any) -> Any:
    try:
        return build(options, size, settings)
    except ValueError as error:
        raise InputError(str(error)) from error


def default_kernel_size(size: Size) -> int:
    """The papers' 41 pixels at 256, in proportion, odd and at least 3."""
    return 2 * max(1, math.ceil((41 / 256 * min(size) - 1) / 2)) + 1


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


def _known_mask(options: Any, size: Size, settings: Any) -> Any:
    raise ValueError("The task needs --mask FILE: an image whose white pixels are missing.")


def _box_or_text(options: Any, size: Size, settings: Any) -> Any:
    if options.text is not None:
        return ops.Mask.create(ops.text_mask(size, options.text))
    return ops.Mask.create(ops.box_mask(size, options.box or max(1, round(min(size) * 80 / 256))))


def _random_pixels(options: Any, size: Size, settings: Any) -> Any:
    return ops.Mask.create(ops.random_mask(jax.random.key(options.seed), size, options.fraction))


def _reduce(default: int, *before: Callable, grey: bool = False) -> Callable:
    """A builder: what comes `before`, reduction by --scale or `default`, loss of colour."""

    def build(options: Any, size: Size, settings: Any) -> Any:
        scale = options.scale or default
        if scale < 2 or size[0] % scale or size[1] % scale:
            raise ValueError(f"--scale {scale} doesn't divide {size[0]} x {size[1]} pixels.")
        parts = [part(options, size, settings) for part in before] + [ops.REDUCTIONS[options.reduction](scale)]
        parts += [ops.Grayscale()] * grey
        return parts[0] if len(parts) == 1 else ops.Compose(tuple(parts))

    return build


def _given_blur(options: Any, size: Size, settings: Any) -> Any:
    if options.kernel is None:
        raise ValueError("The task needs --kernel FILE: the blur kernel.")
    return ops.Blur.create(read_kernel(options.kernel, size), settings.boundary if settings else "reflect")


def _side(options: Any, size: Size) -> int:
    side = options.kernel_size or default_kernel_size(size)
    if side % 2 == 0 or not 1 <= side <= min(size):
        raise ValueError(f"--kernel-size must be odd and at most {min(size)}, not {side}: a kernel needs a centre.")
    return side


def _unknown_kernel(options: Any, size: Size, settings: Any, number: int = 0) -> Any:
    if settings.kernel == "generator":
        return ops.GeneratedKernel.create(
            jax.random.fold_in(jax.random.key(options.seed), number), _side(options, size)
        )
    if settings.kernel == "gaussian":  # its deviations unlike, so that the angle has a slope
        width = _side(options, size) / 6
        return ops.GaussianKernel.create(_side(options, size), (1.1 * width, 0.9 * width), np.pi / 8, known=False)
    return ops.SoftmaxKernel.create(_side(options, size))


def _unknown_blur(options: Any, size: Size, settings: Any) -> Any:
    return ops.Blur.create(_unknown_kernel(options, size, settings), settings.boundary)


def _unknown_varying(options: Any, size: Size, settings: Any) -> Any:
    kernels = (_unknown_kernel(options, size, settings, number) for number in range(_regions(options)))
    return ops.VaryingBlur.create(tuple(kernels), size, settings.boundary)


def _regions(options: Any) -> int:
    if not 1 <= options.regions <= 8:
        raise ValueError(f"--regions must lie between 1 and 8, not {options.regions}.")
    return options.regions**2


def _gaussian_blur(options: Any, size: Size, settings: Any) -> Any:
    if options.kernel is not None:
        return _given_blur(options, size, settings)
    sigmas = options.sigmas or (min(size) / 32, min(size) / 51.2)
    if not all(0 < sigma < min(size) for sigma in sigmas):
        raise ValueError(f"--sigmas must be positive and fit the image, not {sigmas}.")
    needed = 2 * math.ceil(2 * max(sigmas) + max(map(abs, options.offset))) + 1
    side = options.kernel_size or max(default_kernel_size(size), needed)
    if side > min(size):
        raise ValueError(f"--sigmas and --offset must fit the image, not {sigmas} and {options.offset}.")
    return ops.Blur.create(
        np.asarray(ops.GaussianKernel.create(side, sigmas, math.radians(options.angle), options.offset)())
    )


def _motion_kernel(options: Any, size: Size, number: int = 0) -> np.ndarray:
    key = jax.random.fold_in(jax.random.key(options.seed), number)
    length = min(size) / 8 if options.length is None else options.length
    return np.asarray(ops.motion_kernel(key, _side(options, size), length, options.curvature))


def _motion_blur(options: Any, size: Size, settings: Any) -> Any:
    if options.kernel is not None:
        return _given_blur(options, size, settings)
    return ops.Blur.create(_motion_kernel(options, size))


def _motion_varying(options: Any, size: Size, settings: Any) -> Any:
    kernels = (_motion_kernel(options, size, number) for number in range(_regions(options)))
    return ops.VaryingBlur.create(tuple(jnp.asarray(kernel) for kernel in kernels), size)


def _always(operator: Any) -> Callable:
    return lambda options, size, settings: operator


def _tomograph(options: Any, size: Size, settings: Any) -> Any:
    if options.views < 1:
        raise ValueError(f"--views must be at least 1, not {options.views}.")
    return ops.ParallelBeam.create(options.views)


_IDENTITY, _GREY, _PIXELS = _always(ops.Identity()), _always(ops.Grayscale()), "which pixels are missing"
TASKS: dict[str, Task] = {
    # name: how to restore, how to degrade, what is known, what is estimated, whose task it is, its flags
    "denoise": Task(_IDENTITY, _IDENTITY, "that the noise is white", "", "BIRD", "--noise-level"),
    "inpaint": Task(_known_mask, _box_or_text, _PIXELS, "", "SHRED, BIRD", "--mask"),
    "compressed-sensing": Task(_known_mask, _random_pixels, _PIXELS, "", "SHRED", "--mask"),
    "super-resolution": Task(_reduce(8), _reduce(8), "the reduction", "", "SHRED, BIRD", "--scale --reduction"),
    "blind-super-resolution": Task(
        _reduce(4, _unknown_blur),
        _reduce(4, _gaussian_blur),
        "the reduction",
        "a blur kernel before it",
        "BIRD",
        "--scale --reduction --kernel-size",
    ),
    "deblur": Task(_given_blur, _gaussian_blur, "the kernel", "", "", "--kernel"),
    "blind-deblur": Task(
        _unknown_blur, _gaussian_blur, "that one kernel blurred it", "the kernel", "SHRED, BIRD", "--kernel-size"
    ),
    "motion-deblur": Task(_given_blur, _motion_blur, "the kernel", "", "", "--kernel"),
    "blind-motion-deblur": Task(
        _unknown_blur, _motion_blur, "that one kernel blurred it", "the kernel", "BIRD", "--kernel-size"
    ),
    "nonuniform-deblur": Task(
        _unknown_varying,
        _motion_varying,
        "that a few kernels blurred it",
        "all of them",
        "BIRD",
        "--regions --kernel-size",
    ),
    "colorize": Task(_GREY, _GREY, "that it is the luma", "", "", ""),
    "old-photo": Task(
        _reduce(2, _unknown_blur, grey=True),
        _reduce(2, _gaussian_blur, grey=True),
        "the reduction",
        "a blur kernel before it",
        "SHRED",
        "--scale --reduction --kernel-size",
    ),
    "tomography": Task(_tomograph, _tomograph, "the angles", "", "BIRD", "--views"),
}
