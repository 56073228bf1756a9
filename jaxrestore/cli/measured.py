"""From flags to a measurement, as `degrade` and `tune` make it of a photograph."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxrestore.cli.flags import MeasurementFlags
from jaxrestore.cli.plan import grey_levels, hint_at_grey_levels
from jaxrestore.cli.suited import LARGEST_KERNEL, factor_of, kernel_size
from jaxrestore.cli.tasks import Task, bounded
from jaxrestore.errors import InputError
from jaxrestore.files.images import read_image
from jaxrestore.files.opening import open_image
from jaxrestore.operators import Operator, has_boundary, is_picture, middle, reach_of
from jaxrestore.operators.chains import Size
from jaxrestore.simulate import DEGRADATIONS, measure

SCALED = LARGEST_KERNEL * 256 // 41  # pixels: of an image whose kernels have that side, in the papers' proportion
RELATIVE = ("speckle", "poisson", "salt-and-pepper")  # noises that are nothing without a level, or on a sinogram


def noise_level(flags: MeasurementFlags, task: Task) -> float:
    """Grey levels of noise; InputError for what can't be meant."""
    if flags.noise == "bird" and flags.noise_level is not None:
        raise InputError("--noise bird has the published levels: leave --noise-level out.")
    hint_at_grey_levels(flags.noise_level)
    return task.noise_level if flags.noise_level is None else flags.noise_level


class Measured(NamedTuple):
    """A photograph, and what a camera made of it."""

    clean: Array  # [h, w, 3]
    y: Array
    exact: Array  # y without its noise
    operator: Operator
    scene: Size | None  # of which it was cut; None: it had a border, or needed none


def photographed(flags: MeasurementFlags, task: Task, photograph: Path, size: Size) -> Measured:
    """A photograph reduced to `size` (height, width), degraded as the flags say; InputError for what can't be meant.

    What a blur needs beyond the border is there where the photograph is large enough: a scene that is larger by its reach is
    blurred, then cut.
    """
    operator = task.degrade(flags, size)
    scene = None if flags.boundary not in (None, "valid") else _scene_of(photograph, size, reach_of(operator))
    image = jnp.asarray(read_image(photograph, scene or size, flags.fit))
    return _of_scene(flags, task, operator, image, size, photograph)


def photographed_whole(flags: MeasurementFlags, task: Task, photograph: Path) -> Measured:
    """A photograph at its own size, degraded as the flags say, but for what is over where it is reduced, and for the border
    of a blur, which becomes what nobody knows. Kernels are those of an image of `SCALED` pixels, if it is larger."""
    image = jnp.asarray(read_image(photograph))
    side = min(*image.shape[:2], SCALED)
    flags = replace(
        flags,
        kernel_size=flags.kernel_size or kernel_size((side, side)),
        length=side / 8 if flags.length is None else flags.length,
        sigmas=flags.sigmas or (side / 32, side / 51.2),
    )
    factor = factor_of(task, flags)

    def whole(reach: Size) -> Size:
        height, width = ((have - 2 * more) // factor * factor for have, more in zip(image.shape, reach, strict=False))
        return height, width

    reach = reach_of(task.degrade(flags, whole((0, 0)))) if flags.boundary in (None, "valid") else (0, 0)
    size = whole(reach)
    image = middle(image, (size[0] + 2 * reach[0], size[1] + 2 * reach[1]))
    return _of_scene(flags, task, task.degrade(flags, size), image, size, photograph)


def _of_scene(
    flags: MeasurementFlags, task: Task, operator: Operator, image: Array, size: Size, photograph: Path
) -> Measured:
    """Of an image of that size, or of a scene that is larger by the operator's reach."""
    scene = None if image.shape[:2] == size else (image.shape[0], image.shape[1])
    if flags.boundary == "valid" and (scene is None or not has_boundary(operator)):
        raise InputError(
            f"--boundary valid needs a blur and a larger photograph than {photograph}: what lies beyond the border is taken "
            "from it."
        )
    operator = operator if flags.boundary in (None, "valid") else bounded(operator, flags)
    cut = None if scene is None else size
    exact = measure(operator, image, jax.random.key(0), size=cut)
    clean = image if scene is None else middle(image, size)
    return Measured(clean, measurement(flags, task, operator, image, cut), exact, operator, scene)


def _scene_of(photograph: Path, size: Size, reach: Size) -> Size | None:
    """The size of the scene, if there is one in the photograph, and the blur needs it."""
    scene, whole = (size[0] + 2 * reach[0], size[1] + 2 * reach[1]), open_image(photograph)
    return scene if any(reach) and whole.height >= scene[0] and whole.width >= scene[1] else None


def measurement(
    flags: MeasurementFlags, task: Task, operator: Operator, image: Array, cut: Size | None = None
) -> Array:
    """What a camera makes of an image ``[h, w, c]``, or of the middle of a scene, of the size that is to be `cut`."""
    level = noise_level(flags, task)
    if flags.noise in RELATIVE and (level < 0.01 or not is_picture(operator)):
        raise InputError(f"--noise {flags.noise} needs --noise-level, from 0.01 on, and an image: no sinogram.")
    key = jax.random.fold_in(jax.random.key(flags.seed), 1 << 20)  # apart from the keys that the operator draws from
    y = measure(operator, image, key, grey_levels(level), flags.noise, cut)
    return jnp.asarray(DEGRADATIONS[flags.degradation](np.asarray(y), flags.seed)) if task.blind else y
