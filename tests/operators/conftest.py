"""What the tests of operators share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def image():
    return jax.random.normal(jax.random.key(0), (12, 8, 3))


@pytest.fixture(scope="session")
def smooth():
    """Smooth and not square-symmetric, ``[32, 32, 3]``."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((32, 32), Image.Resampling.BICUBIC), np.float32) / 127.5 - 1


@pytest.fixture(scope="session")
def matrix_of():
    """The matrix of a linear function of arrays of a shape."""

    def columns(function, shape):
        basis = jnp.eye(int(np.prod(shape))).reshape(-1, *shape)
        return np.asarray(function(basis), np.float64).reshape(len(basis), -1).T

    return columns
