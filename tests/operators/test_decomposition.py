"""Singular value decompositions against their definition, of every operator that has one in closed form, and of matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import matrix_of

from jaxrestore import operators as ops
from jaxrestore.errors import InputError
from jaxrestore.operators.decomposition import LARGEST, Dense, Diagonal, Separable, Spectral

KERNEL = np.random.default_rng(3).uniform(size=(3, 5))  # of no symmetry
CASES = {  # operator, shape of the image, what it is decomposed as
    "identity": (ops.Identity(), (3, 2, 2), Diagonal),
    "mask": (ops.Mask(np.arange(12).reshape(4, 3) % 3 > 0), (4, 3, 2), Diagonal),
    "average": (ops.AveragePool(2), (4, 6, 2), Separable),
    "stride": (ops.Stride(3), (3, 6, 2), Separable),
    "bicubic": (ops.Bicubic(2), (6, 4, 2), Separable),
    "grey": (ops.Grayscale(), (3, 2, 3), Separable),
    "circular blur": (ops.Blur(KERNEL, "circular"), (6, 5, 2), Spectral),
    "large kernel": (ops.Blur(np.random.default_rng(4).uniform(size=(5, 5)), "circular"), (4, 3, 1), Spectral),
    "blur": (ops.Blur(KERNEL), (5, 4, 1), Dense),
    "tomography": (ops.ParallelBeam(5), (4, 4, 1), Dense),  # of more rows than columns
    "chain": (ops.Compose((ops.Blur(KERNEL, "zero"), ops.Stride(2))), (4, 4, 2), Dense),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_operators_and_its_parts_are_orthogonal(name):
    operator, shape, kind = CASES[name]
    svd = ops.decompose(operator, shape)
    assert isinstance(svd, kind)
    assert isinstance(svd, ops.Svd)
    coordinates, y_shape = jax.eval_shape(svd.vt, jnp.zeros(shape)).shape, ops.measure_shape(operator, shape)
    values = np.asarray(jnp.broadcast_to(svd.values, coordinates), np.float64).ravel()
    assert values.min() >= 0
    vt, v = matrix_of(svd.vt, shape), matrix_of(svd.v, coordinates)
    ut, u = matrix_of(svd.ut, y_shape), matrix_of(svd.u, coordinates)
    identity, matrix = np.eye(len(values)), matrix_of(operator, shape)
    np.testing.assert_allclose(vt @ vt.T, identity, atol=1e-5)
    np.testing.assert_allclose(v, vt.T, atol=1e-5)
    np.testing.assert_allclose(ut, u.T, atol=1e-5)
    np.testing.assert_allclose(u * values @ vt, matrix, atol=1e-5)
    seen = values > 1e-4
    np.testing.assert_allclose((ut @ u)[seen][:, seen], identity[seen][:, seen], atol=1e-5)
    exact = np.linalg.svd(matrix)[1]
    np.testing.assert_allclose(np.sort(values)[::-1][: len(exact)], exact[: len(values)], atol=1e-5)


def test_it_is_traced_with_its_operator():
    """Under jit and vmap the decomposition is that of each operator."""
    shape = (4, 3, 1)
    image = jnp.asarray(np.random.default_rng(1).standard_normal(shape), jnp.float32)

    def again(operator):
        svd = ops.decompose(operator, shape)
        return svd.u(svd.values * svd.vt(image))

    kernels = jnp.asarray(np.random.default_rng(2).uniform(size=(2, 3, 3)), jnp.float32)
    for make in (lambda kernel: ops.Blur(kernel, "circular"), lambda kernel: ops.Blur(kernel, "zero")):
        blurs = jax.vmap(make)(kernels)
        found = jax.jit(jax.vmap(again))(blurs)
        np.testing.assert_allclose(found, jax.vmap(lambda operator: operator(image))(blurs), atol=1e-5)
    bicubic = jax.jit(again, static_argnums=0)(ops.Bicubic(1))
    np.testing.assert_allclose(bicubic, image, atol=1e-5)


def test_what_is_too_large_is_said():
    blur = ops.Blur(KERNEL, "zero")
    with pytest.raises(InputError, match=rf"12,288 x 12,288 numbers is too large for one \({LARGEST:,} numbers"):
        ops.decompose(blur, (64, 64, 3))
    assert ops.decompose(ops.Blur(KERNEL, "circular"), (64, 64, 3)).values.shape == (64, 64, 1)
