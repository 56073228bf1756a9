"""How sure a mean is."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxrestore.errors import InputError

DRAWS = 10_000


class Interval(NamedTuple):
    """A mean, and the middle 95 % of what it might have been."""

    mean: float
    low: float
    high: float


def mean_interval(values: Float[np.ndarray, " n"]) -> Interval:
    """The mean of some numbers (scores of images, or paired differences), and by the bootstrap the middle 95 % of the means
    of ten thousand draws of as many of them (Efron 1979), always the same draws.

    Of fewer than six or so it is too narrow. InputError for none, or such as are not finite. Not for jit: it draws by NumPy.

    >>> mean_interval(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).mean
    3.5
    """
    values = np.asarray(values)
    if values.ndim != 1 or not len(values) or not np.all(np.isfinite(values)):
        raise InputError("An interval needs numbers in a row, at least one, all finite.")
    draws = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))
