"""What `measure` makes of an operator and a noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from signatures import unchecked

from jaxrestore import operators as ops
from jaxrestore import simulate
from jaxrestore.errors import InputError

KEY = jax.random.key(0)
WHITE = jnp.ones((64, 64, 3))


def test_white_noise_is_added_to_what_the_operator_makes():
    image = jax.random.uniform(jax.random.key(1), (16, 16, 3), minval=-1)
    pool = ops.AveragePool(2)
    wanted = pool(image) + 0.1 * jax.random.normal(KEY, (8, 8, 3))
    np.testing.assert_array_equal(simulate.measure(pool, image, KEY, 0.1), wanted)
    np.testing.assert_array_equal(simulate.measure(pool, image, KEY), pool(image))
    sweep = jax.jit(jax.vmap(lambda sigma: simulate.measure(pool, image, KEY, sigma)))(jnp.array([0.0, 0.1]))
    np.testing.assert_allclose(sweep, [pool(image), wanted], atol=1e-6)


@pytest.mark.parametrize("noise", ["speckle", "poisson"])
def test_the_level_of_uneven_noise_is_that_at_white(noise):
    y = simulate.measure(ops.Identity(), WHITE, KEY, 0.1, noise)
    np.testing.assert_allclose(jnp.std(y), 0.1, rtol=0.05)
    np.testing.assert_array_equal(simulate.measure(ops.Identity(), -WHITE, KEY, 0.1, noise), -WHITE)


def test_dead_pixels_are_a_share():
    y = simulate.measure(ops.Identity(), 0 * WHITE, KEY, 2 * 25.5 / 255, "salt-and-pepper")
    np.testing.assert_allclose(jnp.mean(jnp.abs(y)), 0.1, rtol=0.15)


def test_the_published_mixture_is_the_stronger_one_for_denoising():
    deviations = [jnp.std(simulate.measure(operator, WHITE, KEY, 0.0, "bird")) for operator in (ops.Identity(), abs)]
    np.testing.assert_allclose(deviations, [np.hypot(0.64, 0.06), np.hypot(0.8 * 0.24, 0.2 * 0.1)], rtol=0.05)


def test_missing_pixels_have_no_noise():
    known = np.kron([[1, 0], [0, 1]], np.ones((32, 32)))
    y = simulate.measure(ops.Mask(known), WHITE, KEY, 0.1)
    assert jnp.all(y[known == 0] == 0)
    np.testing.assert_allclose(jnp.std(y[known == 1]), 0.1, rtol=0.05)
    np.testing.assert_allclose(jnp.sqrt(jnp.mean((y - ops.Mask(known)(WHITE)) ** 2)), 0.1 / 2**0.5, rtol=0.05)


def test_noise_adds_up_along_rays():
    beam = ops.ParallelBeam(8)
    y = simulate.measure(beam, WHITE, KEY, 0.1) - beam(WHITE)
    np.testing.assert_allclose(jnp.std(y), ops.sigma_of(beam, 0.1, y), rtol=0.05)
    np.testing.assert_array_equal(
        simulate.measure(beam, WHITE, KEY, 0.3, "bird"), simulate.measure(beam, WHITE, KEY, 0.1)
    )


@pytest.mark.parametrize(
    ("operator", "sigma_y", "noise", "sentence"),
    [
        (ops.Identity(), -0.1, "gaussian", "sigma_y must be a number from 0 on, not -0.1"),
        (ops.Identity(), float("nan"), "gaussian", "sigma_y must be a number"),
        (ops.Identity(), 0.1, "pink", "Unknown noise 'pink'; known: gaussian, speckle"),
        (ops.ParallelBeam(8), 0.1, "poisson", "has Gaussian noise, not poisson"),
    ],
)
def test_what_cant_be_meant_gets_a_sentence(operator, sigma_y, noise, sentence):
    with unchecked(), pytest.raises(InputError, match=sentence):
        simulate.measure(operator, WHITE, KEY, sigma_y, noise)
