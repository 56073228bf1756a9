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


def by_place(parameters, x, t, label, key):
    """A network of 4x4 that takes each pixel of a tile for another, and times and labels image by image."""
    seen = x + 0.1 * x[:, ::-1] + (t + 2 * label).reshape(-1, 1, 1, 1) / 1000
    return jnp.sin(parameters["scale"] * seen)


def written_out(parameters, x, t, label):
    """The weighted mean of what is predicted in every tile, as a loop over them."""
    total, weights = jnp.zeros_like(x), np.zeros((*x.shape[1:3], 1), np.float32)
    ramp = np.array([1, 2, 2, 1], np.float32)
    for i in (0, 3, 6):
        for j in (0, 2, 5):
            part = by_place(parameters, x[:, i : i + 4, j : j + 4], t, label, None)
            total = total.at[:, i : i + 4, j : j + 4].add(np.outer(ramp, ramp)[..., None] * part)
            weights[i : i + 4, j : j + 4, 0] += np.outer(ramp, ramp)
    return total / weights


@pytest.mark.parametrize("at_once", [1, 7, 18])
def test_a_prediction_is_the_mean_over_tiles_written_out(at_once):
    draw = np.random.default_rng(2)
    parameters = {"scale": jnp.asarray(draw.uniform(0.5, 2, (4, 4, 1)), jnp.float32)}
    small = jr.Prior(by_place, parameters, jr.schedule.linear(), (4, 4, 3))
    large = tiled(small, 10, 9, overlap=1, at_once=at_once)
    assert corners((10, 9), (4, 4), 1) == [(i, j) for i in (0, 3, 6) for j in (0, 2, 5)]
    x, t, label = jnp.asarray(draw.standard_normal((2, 10, 9, 3)), jnp.float32), jnp.array([3, 700]), jnp.array([0, 5])

    def squares(predict):
        return jax.jit(jax.value_and_grad(lambda parameters, x: jnp.sum(predict(parameters, x) ** 2), argnums=(0, 1)))

    wanted = squares(lambda parameters, x: written_out(parameters, x, t, label))(parameters, x)
    network = large.network
    batch = squares(lambda parameters, x: network(parameters, x, t, label))(parameters, x)
    each = jax.vmap(lambda parameters, x, t, label: network(parameters, x[None], t, label)[0], (None, 0, 0, 0))
    mapped = squares(lambda parameters, x: each(parameters, x, t, label))(parameters, x)
    for found in (batch, mapped):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, wanted)


def test_the_program_does_not_grow_with_the_image():
    def length(height, width):
        large = tiled(jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.3), height, width)
        program = jax.make_jaxpr(lambda x: large.predict_noise(x, 5))(jnp.zeros((height, width, 3)))
        return str(program).count(" = ")  # equations

    assert length(32, 40) == length(320, 400)


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
