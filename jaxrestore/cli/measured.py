"""From flags to a measurement, as `degrade` and `tune` make it of a photograph."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxrestore.cli.flags import MeasurementFlags
from jaxrestore.cli.plan import grey_levels, hint_at_grey_levels
from jaxrestore.cli.tasks import Task
from jaxrestore.errors import InputError
from jaxrestore.operators import Operator, is_picture
from jaxrestore.simulate import DEGRADATIONS, measure

RELATIVE = ("speckle", "poisson", "salt-and-pepper")  # noises that are nothing without a level, or on a sinogram


def noise_level(flags: MeasurementFlags, task: Task) -> float:
    """Grey levels of noise; InputError for what can't be meant."""
    if flags.noise == "bird" and flags.noise_level is not None:
        raise InputError("--noise bird has the published levels: leave --noise-level out.")
    hint_at_grey_levels(flags.noise_level)
    return task.noise_level if flags.noise_level is None else flags.noise_level


def measurement(flags: MeasurementFlags, task: Task, operator: Operator, image: Array) -> Array:
    """What a camera makes of an image ``[h, w, c]``."""
    level = noise_level(flags, task)
    if flags.noise in RELATIVE and (level < 0.01 or not is_picture(operator)):
        raise InputError(f"--noise {flags.noise} needs --noise-level, from 0.01 on, and an image: no sinogram.")
    key = jax.random.fold_in(jax.random.key(flags.seed), 1 << 20)  # apart from the keys that the operator draws from
    y = measure(operator, image, key, grey_levels(level), flags.noise)
    return jnp.asarray(DEGRADATIONS[flags.degradation](np.asarray(y), flags.seed)) if task.blind else y
