"""Camera paths."""

import jax
import numpy as np
import pytest

from jaxrestore import simulate
from jaxrestore.errors import InputError


def test_a_motion_kernel_is_its_path():
    draw = jax.jit(
        jax.vmap(
            lambda key, length, curvature: simulate.motion_kernel(key, 21, length, curvature), in_axes=(0, None, None)
        )
    )
    keys = jax.random.split(jax.random.key(0), 20)
    for curvature in (0.0, 2.0):
        kernels = draw(keys, 12.0, curvature)
        np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1, rtol=1e-5)
        assert kernels.min() >= 0
        rows, columns = np.mgrid[-10:11, -10:11]
        centres = np.stack([(kernels * rows).sum((1, 2)), (kernels * columns).sum((1, 2))])
        np.testing.assert_allclose(centres, 0, atol=1e-3)
        spread = np.sqrt((kernels * (rows**2 + columns**2)).sum((1, 2)))
        straight = 12 / np.sqrt(12)  # deviation of a uniform line; the pace along it varies
        assert (abs(spread / straight - 1) < 0.15).all() if curvature == 0 else spread.mean() < straight
    assert not np.allclose(kernels[0], kernels[1])
    point = jax.jit(simulate.motion_kernel, static_argnums=1)(keys[0], 5, 0.0)
    np.testing.assert_allclose(point[2, 2], 1, atol=1e-5)
    with pytest.raises(InputError, match="odd"):
        simulate.motion_kernel(keys[0], 4, 1.0)
