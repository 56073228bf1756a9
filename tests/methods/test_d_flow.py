"""D-Flow on Gaussian data, as a flow of it and otherwise."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.methods._d_flow import radial_energy

SHAPE = (8, 8, 3)
MASK = jr.Mask(np.arange(64).reshape(8, 8) % 3 > 0)
KEY = jax.random.key(0)


def velocity(parameters, x, time):
    """E[noise - x0 | x] of x = (1 - u) x0 + u noise, x0 of deviation 0.2 about 0.1."""
    u = time[:, None, None, None]
    rest = (x - (1 - u) * 0.1) / ((1 - u) ** 2 * 0.04 + u**2)
    return u * rest - (0.1 + (1 - u) * 0.04 * rest)


FLOW = jr.flow_prior(velocity, None, SHAPE)
TRUTH = 0.1 + 0.2 * jax.random.normal(jax.random.key(9), SHAPE)


def test_it_starts_at_the_noise_of_the_picture_and_fresh_one():
    """Of variance one, as much the picture's as `blend` says; the picture's is what the ODE backwards makes of it."""
    y, inverted = MASK(TRUTH), jr.invert(FLOW, MASK(TRUTH), skip=167, grid="trailing")
    starts = {blend: jr.d_flow(FLOW, MASK, blend=blend).init(y, KEY).noise for blend in (0.0, 0.1, 1.0)}
    np.testing.assert_allclose(starts[1.0], inverted, atol=1e-5)
    np.testing.assert_allclose(starts[0.0], jax.random.normal(KEY, SHAPE), atol=1e-5)
    np.testing.assert_allclose(starts[0.1], 0.1**0.5 * starts[1.0] + 0.9**0.5 * starts[0.0], atol=1e-5)


def test_it_explains_y_and_keeps_the_norm_of_the_noise():
    """A weight of the norm, and none, from a noise that is too loud."""
    y, radii = MASK(TRUTH), {}
    for weight in (0.0, 30.0):
        method = jr.d_flow(FLOW, MASK, radial=weight, iterations=150, noise_lr=0.2, decay="cosine")
        loud = method.init_from(1.5 * jax.random.normal(KEY, SHAPE))
        state, iterate = jax.jit(search)(method, loud, y)
        radii[weight] = float(jnp.linalg.norm(state.noise)) / state.noise.size**0.5
        assert (iterate.data_term < 1e-4) == (weight == 0)
    assert abs(radii[30.0] - 1) < 0.1 < radii[0.0] - 1


def search(method, state, y):
    iterate = method.step(state, y)[1]
    return jax.lax.fori_loop(0, method.iterations, lambda _, pair: method.step(pair[0], y), (state, iterate))


def test_vmap_is_the_loop_and_the_data_term_falls():
    method = jr.d_flow(FLOW, MASK, iterations=20)
    y, keys = jnp.stack([MASK(TRUTH), MASK(-TRUTH)]), jax.random.split(KEY, 2)
    many = jax.jit(jax.vmap(jr.run, in_axes=(None, 0, 0)))(method, y, keys)
    alone = jax.jit(jr.run)(method, y[1], keys[1])
    np.testing.assert_allclose(many.image[1], alone.image, atol=1e-4)
    assert np.all(many.data_term < 0.5 * np.asarray(many.history)[:, 0])


def test_priors_that_it_takes_and_measurements_of_every_shape():
    """A flow, any other kind, and grey ones; one that ends before noise is refused."""
    gaussian, grey = jr.gaussian_prior(jnp.full(SHAPE, 0.1), 0.2), jr.gaussian_prior(jnp.zeros((8, 8, 1)), 0.2)
    for prior, operator in ((gaussian, jr.Grayscale()), (gaussian, jr.ParallelBeam(5)), (grey, jr.AveragePool(2))):
        method = jr.d_flow(prior, operator)
        y = jax.eval_shape(operator, jax.ShapeDtypeStruct(prior.shape, jnp.float32))
        assert jax.eval_shape(method.init, y, KEY).noise.shape == prior.shape
        assert method.evaluations == 24
    short = jr.gaussian_prior(jnp.zeros(SHAPE), 0.2, jr.schedule.linear(10))
    with pytest.raises(jr.InputError, match="can't generate from pure noise"):
        jr.d_flow(short, MASK)
    with pytest.raises(jr.InputError, match="blend must lie between 0 and 1, not 2"):
        jr.d_flow(gaussian, MASK, blend=2.0)
    with pytest.raises(jr.InputError, match="gradients full and frozen, not frozen_v"):
        jr.d_flow(gaussian, MASK, gradient="frozen_v")
    shorter = dataclasses.replace(gaussian, schedule=jr.schedule.linear(300))
    assert jr.d_flow(shorter, MASK).evaluations == 24


def test_the_norm_is_likeliest_near_the_root_of_the_dimension():
    noise = jax.random.normal(KEY, SHAPE)
    least = noise * (191**0.5 / jnp.linalg.norm(noise))
    np.testing.assert_allclose(jax.grad(radial_energy)(least), 0, atol=1e-4)
    assert radial_energy(least) < min(radial_energy(0.8 * least), radial_energy(1.2 * least))
