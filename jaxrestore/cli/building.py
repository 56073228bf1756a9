"""From flags to operators: functions ``(options, size, settings) -> operator``, of which the tasks are made.

`options` are the flags (`tasks.TaskOptions`, `tasks.DegradeOptions`), `size` the image's (height, width), `settings` the
preset of a restoration and None where an image is degraded. ValueError for flags that can't be meant.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import operators as ops
from jaxrestore import simulate
from jaxrestore.files.inputs import read_kernel
from jaxrestore.operators.chains import Size, default_kernel_size, read_operator


def known_mask(options: Any, size: Size, settings: Any) -> Any:
    raise ValueError("The task needs --mask FILE: an image whose white pixels are missing.")


def box_or_text(options: Any, size: Size, settings: Any) -> Any:
    if options.text is not None:
        return ops.Mask.create(simulate.text_mask(size, options.text))
    return ops.Mask.create(
        simulate.box_mask(size, max(1, round(min(size) * 80 / 256)) if options.box is None else options.box)
    )


def random_pixels(options: Any, size: Size, settings: Any) -> Any:
    return ops.Mask.create(simulate.random_mask(jax.random.key(options.seed), size, options.fraction))


def reduce(default: int, *before: Callable, grey: bool = False) -> Callable:
    """A builder: what comes `before`, reduction by --scale or `default`, loss of colour."""

    def build(options: Any, size: Size, settings: Any) -> Any:
        scale = default if options.scale is None else options.scale
        if scale < 2 or size[0] % scale or size[1] % scale:
            raise ValueError(f"--scale {scale} doesn't divide {size[0]} x {size[1]} pixels.")
        parts = [part(options, size, settings) for part in before] + [ops.REDUCTIONS[options.reduction](scale)]
        parts += [ops.Grayscale()] * grey
        return parts[0] if len(parts) == 1 else ops.Compose(tuple(parts))

    return build


def given_blur(options: Any, size: Size, settings: Any) -> Any:
    if options.kernel is None:
        raise ValueError("The task needs --kernel FILE: the blur kernel.")
    return ops.Blur.create(read_kernel(options.kernel, size), settings.boundary if settings else "reflect")


def _side(options: Any, size: Size) -> int:
    side = default_kernel_size(size) if options.kernel_size is None else options.kernel_size
    if side % 2 == 0 or not 1 <= side <= min(size):
        raise ValueError(f"--kernel-size must be odd and at most {min(size)}, not {side}: a kernel needs a centre.")
    return side


def _unknown_kernel(options: Any, size: Size, settings: Any, number: int = 0) -> Any:
    if settings.kernel == "generator":
        return ops.GeneratedKernel.create(
            jax.random.fold_in(jax.random.key(options.seed), number), _side(options, size)
        )
    width = settings.start * _side(options, size)
    if settings.kernel == "gaussian":  # its deviations unlike, so that the angle has a slope
        return ops.GaussianKernel.create(_side(options, size), (1.1 * width, 0.9 * width), np.pi / 8, known=False)
    return ops.SoftmaxKernel.create(_side(options, size), width)


def unknown_blur(options: Any, size: Size, settings: Any) -> Any:
    return ops.Blur.create(_unknown_kernel(options, size, settings), settings.boundary)


def unknown_varying(options: Any, size: Size, settings: Any) -> Any:
    kernels = (_unknown_kernel(options, size, settings, number) for number in range(_regions(options)))
    return ops.VaryingBlur.create(tuple(kernels), size, settings.boundary)


def _regions(options: Any) -> int:
    if not 1 <= options.regions <= 8:
        raise ValueError(f"--regions must lie between 1 and 8, not {options.regions}.")
    return options.regions**2


def gaussian_blur(options: Any, size: Size, settings: Any) -> Any:
    if options.kernel is not None:
        return given_blur(options, size, settings)
    sigmas = options.sigmas or (min(size) / 32, min(size) / 51.2)
    if not all(0 < sigma < min(size) for sigma in sigmas) or not all(abs(o) < min(size) for o in options.offset):
        raise ValueError(
            f"--sigmas must be positive and fit the image, as --offset, not {sigmas} and {options.offset}."
        )
    needed = 2 * math.ceil(2 * max(sigmas) + max(map(abs, options.offset))) + 1
    side = max(default_kernel_size(size), needed) if options.kernel_size is None else _side(options, size)
    if side > min(size) or not math.isfinite(options.angle):
        raise ValueError(f"--sigmas and --offset must fit the image, not {sigmas} and {options.offset}.")
    return ops.Blur.create(
        np.asarray(ops.GaussianKernel.create(side, sigmas, math.radians(options.angle), options.offset)())
    )


def _motion_kernel(options: Any, size: Size, number: int = 0) -> np.ndarray:
    key = jax.random.fold_in(jax.random.key(options.seed), number)
    length = min(size) / 8 if options.length is None else options.length
    if not 0 <= length < min(size) or not math.isfinite(options.curvature):
        raise ValueError(f"--length must lie between 0 and {min(size)}, and --curvature be finite, not {length}.")
    return np.asarray(simulate.motion_kernel(key, _side(options, size), length, options.curvature))


def motion_blur(options: Any, size: Size, settings: Any) -> Any:
    if options.kernel is not None:
        return given_blur(options, size, settings)
    return ops.Blur.create(_motion_kernel(options, size))


def motion_varying(options: Any, size: Size, settings: Any) -> Any:
    kernels = (_motion_kernel(options, size, number) for number in range(_regions(options)))
    return ops.VaryingBlur.create(tuple(jnp.asarray(kernel) for kernel in kernels), size)


def always(operator: Any) -> Callable:
    return lambda options, size, settings: operator


def codec(options: Any, size: Size, settings: Any) -> Any:
    """Of --quality; in a restoration without it of an unknown one, which starts in the middle of what is visible."""
    quality = options.quality if options.quality is not None else 10 if settings is None else 30
    return ops.Jpeg.create(quality, known=settings is None or options.quality is not None)


def from_file(options: Any, size: Size, settings: Any) -> Any:
    """The chain of --operator; to degrade an image all of it must be known."""
    if options.operator is None:
        raise ValueError("The task needs --operator FILE.json: a chain of operators.")
    operator = read_operator(options.operator, size)
    if settings is None and ops.is_blind(operator):
        raise ValueError(f"{options.operator} has unknown parameters: an image is degraded by known ones.")
    return operator


def rain(options: Any, size: Size, settings: Any) -> Any:
    if settings is None:
        return jax.tree_util.Partial(simulate.rain_streaks, jax.random.key(options.seed))
    return ops.RainLayer.create(size, length=min(size) / 21)


def tone(options: Any, size: Size, settings: Any) -> Any:
    """Gamma is known: what it darkens, exposure can brighten, and which it was can't be told."""
    if settings is not None:
        return ops.Tone.create(gamma=options.gamma, unknown=("stops", "log_balance"))
    return ops.Tone.create(options.stops, options.balance, options.gamma)


def tomograph(options: Any, size: Size, settings: Any) -> Any:
    if options.views < 1:
        raise ValueError(f"--views must be at least 1, not {options.views}.")
    return ops.ParallelBeam.create(options.views)
