from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxrestore as jr
from jaxrestore.diffusion.tiling import blend, corners, cut, starts, tiled


@given(st.integers(1, 9), st.integers(0, 8), st.integers(0, 40))
def test_tiles_cover_a_side_and_overlap(tile, overlap, more):
    overlap = min(overlap, tile - 1)
    found = starts(tile + more, tile, overlap)
    assert found[0] == 0
    assert found[-1] == more
    assert all(0 < after - before <= tile - overlap for before, after in pairwise(found))


def test_blending_undoes_cutting_and_weighs_the_middle_most():
    image = np.random.default_rng(0).standard_normal((2, 20, 13, 3), np.float32)
    again = jax.jit(lambda image: blend(cut(image, (8, 8), 3), (20, 13), 3))(image)
    np.testing.assert_allclose(again, image, atol=1e-6)
    two = np.concatenate([np.zeros((1, 4, 6, 1), np.float32), np.ones((1, 4, 6, 1), np.float32)])
    row = np.asarray(jax.jit(blend, static_argnums=(1, 2))(two, (4, 9), 3))[0, :, 0]
    assert np.all(np.diff(row) >= 0)
    assert row[4] == pytest.approx(0.5)


NOISE = np.random.default_rng(1).standard_normal((2, 14, 19, 3), np.float32)


@jax.jit
def predicted_and_gradient(prior):
    loss = jax.grad(lambda z: jnp.sum(jr.unroll(prior, z, gradient="full") ** 2))
    return prior.predict_noise(jnp.asarray(NOISE), jnp.array([100, 700])), loss(jnp.asarray(NOISE[0]))


@pytest.fixture(scope="module")
def of_the_whole():
    return predicted_and_gradient(jr.gaussian_prior(jnp.full((14, 19, 3), 0.2), 0.3))


@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_of_a_prior_that_sees_pixels_tiles_are_the_whole(of_the_whole, at_once):
    """Of a prior that is alike everywhere."""
    parts = tiled(jr.gaussian_prior(jnp.full((8, 8, 3), 0.2), 0.3), 14, 19, at_once=at_once)
    assert parts.shape == (14, 19, 3)
    predicted, gradient = predicted_and_gradient(parts)
    np.testing.assert_allclose(predicted, of_the_whole[0], atol=1e-5)
    np.testing.assert_allclose(gradient, of_the_whole[1], atol=1e-4)


def test_a_tiled_network_is_a_prior_as_any(tiny):
    assert len(corners((24, 40), (16, 16), 4)) == 6
    assert tiled(tiny, 16, 16) is tiny
    large = tiled(tiny, 16, 24)
    noise = jax.device_put(np.random.default_rng(0).standard_normal((2, 16, 24, 3), np.float32))
    both = jr.unroll(large, noise, skip=500)
    np.testing.assert_allclose(jax.vmap(lambda z: jr.unroll(large, z, skip=500))(noise), both, atol=1e-4)
    operator = jr.Blur(jr.SoftmaxKernel(3))
    found = jr.restore(jr.bird(large, operator, iterations=2), operator(both), jax.random.key(0))
    assert found.image.shape == noise.shape
    assert found.operator.kernel.logits.shape == (2, 3, 3)  # one kernel for a whole photograph


def test_what_cannot_be_tiled_is_named(tiny):
    with pytest.raises(ValueError, match="smaller than the prior's 16 x 16"):
        tiled(tiny, 15, 40)
    with pytest.raises(ValueError, match="overlap must lie between 0 and 15"):
        tiled(tiny, 20, 40, overlap=16)
