"""Conjugate gradients with operators, against dense solutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import matrix_of

from jaxrestore import operators as ops

SHAPE = (4, 4, 2)
KERNEL = ops.GaussianKernel(3, (1.0, 0.6))
LINEAR = {
    "identity": ops.Identity(),
    "mask": ops.Mask(np.arange(16).reshape(4, 4) % 3 > 0),
    "average": ops.AveragePool(2),
    "stride": ops.Stride(2),
    "bicubic": ops.Bicubic(2),
    "blur": ops.Blur(KERNEL, "reflect"),
    "blur inside": ops.Blur(KERNEL, "valid"),
    "circular blur": ops.Blur(KERNEL, "circular"),
    "tomography": ops.ParallelBeam(3),
    "chain": ops.Compose((ops.Blur(KERNEL, "zero"), ops.Stride(2))),
}
DRAW = np.random.default_rng(5)
POINT = jnp.asarray(DRAW.standard_normal(SHAPE), jnp.float32)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("weight", [0.3, 0.0])
def test_a_proximal_step_is_the_dense_solution(name, weight):
    operator = LINEAR[name]
    matrix = matrix_of(operator, SHAPE)
    y = DRAW.standard_normal(matrix.shape[0]) if weight else matrix @ DRAW.standard_normal(matrix.shape[1])
    shaped = jnp.asarray(y.reshape(ops.measure_shape(operator, SHAPE)), jnp.float32)
    found = np.asarray(jax.jit(ops.proximal)(operator, POINT, shaped, weight), np.float64).ravel()
    point = np.asarray(POINT, np.float64).ravel()
    if weight:
        left = matrix.T @ matrix + weight * np.eye(len(point))
        np.testing.assert_allclose(found, np.linalg.solve(left, matrix.T @ y + weight * point), atol=1e-4)
    else:  # nearest among the images that have this measurement
        np.testing.assert_allclose(found, point + np.linalg.pinv(matrix) @ (y - matrix @ point), atol=5e-3)


@pytest.mark.parametrize("name", LINEAR)
def test_a_pseudo_inverse_is_the_dense_one(name):
    operator = LINEAR[name]
    matrix = matrix_of(operator, SHAPE)
    y = matrix @ DRAW.standard_normal(matrix.shape[1])
    shaped = jnp.asarray(y.reshape(ops.measure_shape(operator, SHAPE)), jnp.float32)
    found = np.asarray(ops.pseudo_inverse(operator, shaped, SHAPE)).ravel()
    np.testing.assert_allclose(found, np.linalg.pinv(matrix) @ y, atol=5e-3)


def test_a_batch_is_the_loop():
    operator, y = LINEAR["blur"], jnp.stack([POINT, -2 * POINT, jnp.zeros(SHAPE)])
    many = jax.vmap(ops.proximal, in_axes=(None, None, 0, None))(operator, POINT, y, 0.1)
    for i in range(3):
        np.testing.assert_allclose(many[i], ops.proximal(operator, POINT, y[i], 0.1), atol=1e-4)


def test_who_is_linear():
    assert all(ops.is_linear(operator, SHAPE) for operator in LINEAR.values())
    assert ops.is_linear(ops.Grayscale(), (4, 4, 3))
    others = (
        ops.Tone(),
        ops.Jpeg(30),
        ops.RainLayer((8, 8), length=1.0),  # affine: it adds light to nothing, too
        lambda image: image + 1,
        lambda image: image**2,
        lambda image: jnp.clip(image, -1, 1),
    )
    assert not any(ops.is_linear(operator, (8, 8, 3)) for operator in others)
    assert jax.jit(lambda operator: operator(jnp.ones(SHAPE)) * ops.is_linear(operator, SHAPE))(LINEAR["blur"]).any()
