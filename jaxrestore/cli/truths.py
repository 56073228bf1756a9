"""From flags to the operators that degrade an image: functions ``(flags, size) -> operator``, of which tasks are made.

`size` is the image's (height, width). InputError for flags that can't be meant.
"""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from jaxrestore import operators as ops
from jaxrestore import simulate
from jaxrestore.cli.flags import DegradationFlags, OperatorFlags
from jaxrestore.errors import InputError, InputWarning
from jaxrestore.files.kernels import read_kernel
from jaxrestore.files.masks import read_mask
from jaxrestore.operators import Operator
from jaxrestore.operators.chains import Size, read_operator

Truth = Callable[[DegradationFlags, Size], Operator]


def always(operator: Operator) -> Truth:
    """The same whatever the flags."""
    return lambda flags, size: operator


def erased(flags: DegradationFlags, size: Size) -> Operator:
    """All but a box, a text, or what a file says."""
    if flags.mask is not None:
        known = read_mask(flags.mask, size, flags.fit)
        hint_at_inversion(flags.mask, known)
        return ops.Mask(known)
    if flags.text is not None:
        return ops.Mask(simulate.text_mask(size, flags.text))
    return ops.Mask(simulate.box_mask(size, max(1, round(min(size) * 80 / 256)) if flags.box is None else flags.box))


def sensed(flags: DegradationFlags, size: Size) -> Operator:
    """A few pixels, drawn at random, or those that a file says."""
    if flags.mask is not None:
        return ops.Mask(read_mask(flags.mask, size, flags.fit), "compressed-sensing")
    return ops.Mask(simulate.random_mask(jax.random.key(flags.seed), size, flags.fraction), "compressed-sensing")


def gaussian_blur(flags: DegradationFlags, size: Size) -> Operator:
    """By a Gaussian, or by the kernel of a file."""
    if flags.kernel is not None:
        return ops.Blur(read_kernel(flags.kernel, size))
    sigmas, offset = flags.sigmas or (min(size) / 32, min(size) / 51.2), flags.offset
    if not all(0 < sigma < min(size) for sigma in sigmas) or not all(abs(o) < min(size) for o in offset):
        raise InputError(f"--sigmas must be positive and fit the image, as --offset, not {sigmas} and {offset}.")
    needed = 2 * math.ceil(2 * max(sigmas) + max(map(abs, offset))) + 1
    side = kernel_side(flags, size) if flags.kernel_size is not None else max(ops.default_kernel_size(size), needed)
    if side > min(size) or not math.isfinite(flags.angle):
        raise InputError(f"--sigmas and --offset must fit the image, not {sigmas} and {offset}.")
    return ops.Blur(np.asarray(ops.GaussianKernel(side, sigmas, math.radians(flags.angle), offset)()))


def motion_blur(flags: DegradationFlags, size: Size) -> Operator:
    """By a camera's path, or by the kernel of a file."""
    if flags.kernel is not None:
        return ops.Blur(read_kernel(flags.kernel, size))
    return ops.Blur(_motion_kernel(flags, size, 0))


def varying_blur(flags: DegradationFlags, size: Size) -> Operator:
    """By a path for each region."""
    return ops.VaryingBlur([_motion_kernel(flags, size, number) for number in range(regions(flags))], size)


def _motion_kernel(flags: DegradationFlags, size: Size, number: int) -> np.ndarray:
    key = jax.random.fold_in(jax.random.key(flags.seed), number)
    length = min(size) / 8 if flags.length is None else flags.length
    if not 0 <= length < min(size) or not math.isfinite(flags.curvature):
        raise InputError(f"--length must lie between 0 and {min(size)}, and --curvature be finite, not {length}.")
    return np.asarray(simulate.motion_kernel(key, kernel_side(flags, size), length, flags.curvature))


def reduced(default: int, *before: Truth, grey: bool = False) -> Truth:
    """What comes `before`, reduction by --scale or `default`, loss of colour."""

    def build(flags: DegradationFlags, size: Size) -> Operator:
        return chain([part(flags, size) for part in before], flags, size, default, grey)

    return build


def compressed(flags: DegradationFlags, size: Size) -> Operator:
    """By a codec of --quality, or 10."""
    return ops.Jpeg(10 if flags.quality is None else flags.quality)


def rained_on(flags: DegradationFlags, size: Size) -> Operator:
    """With streaks of rain."""
    return jax.tree_util.Partial(simulate.rain_streaks, key=jax.random.key(flags.seed))


def exposed(flags: DegradationFlags, size: Size) -> Operator:
    """By a camera with the wrong exposure and white balance."""
    return ops.Tone(flags.stops, flags.balance, flags.gamma)


def projected(flags: DegradationFlags, size: Size) -> Operator:
    """Its sinogram."""
    return beam(flags)


def from_file(flags: DegradationFlags, size: Size) -> Operator:
    """By the chain of --operator, all of which must be known."""
    operator = file_chain(flags, size)
    if ops.is_blind(operator):
        raise InputError(f"{flags.operator} has unknown parameters: an image is degraded by known ones.")
    return operator


# What a restoration is built of, too (starts.py).


def hint_at_inversion(mask: Path, known: np.ndarray) -> None:
    """InputWarning for a mask under which most of the picture is missing."""
    if known.mean() < 0.5:
        share = f"{100 * (1 - known.mean()):.0f} %"
        sentence = f"The mask {mask} says that {share} of the picture is missing (white is missing): is it inverted?"
        warnings.warn(sentence, InputWarning, stacklevel=2)


def kernel_side(flags: OperatorFlags, size: Size) -> int:
    """Of --kernel-size, or the usual one."""
    side = ops.default_kernel_size(size) if flags.kernel_size is None else flags.kernel_size
    if side % 2 == 0 or not 1 <= side <= min(size):
        raise InputError(f"--kernel-size must be odd and at most {min(size)}, not {side}: a kernel needs a centre.")
    return side


def regions(flags: OperatorFlags) -> int:
    """How many kernels there are."""
    if not 1 <= flags.regions <= 8:
        raise InputError(f"--regions must lie between 1 and 8, not {flags.regions}.")
    return flags.regions**2


def chain(before: list[Operator], flags: OperatorFlags, size: Size, default: int, grey: bool) -> Operator:
    """Operators, then the reduction, then loss of colour."""
    scale = default if flags.scale is None else flags.scale
    if scale < 2 or size[0] % scale or size[1] % scale:
        raise InputError(f"--scale {scale} doesn't divide {size[0]} x {size[1]} pixels.")
    parts = [*before, ops.REDUCTIONS[flags.reduction](scale), *[ops.Grayscale()] * grey]
    return parts[0] if len(parts) == 1 else ops.Compose(tuple(parts))


def beam(flags: OperatorFlags) -> Operator:
    """The tomograph of --views."""
    if flags.views < 1:
        raise InputError(f"--views must be at least 1, not {flags.views}.")
    return ops.ParallelBeam(flags.views)


def file_chain(flags: OperatorFlags, size: Size) -> Operator:
    """What the file of --operator says."""
    if flags.operator is None:
        raise InputError("The task needs --operator FILE.json: a chain of operators.")
    return read_operator(flags.operator, size)
