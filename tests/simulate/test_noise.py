"""Noise models have the deviations that they are asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore import simulate

KEY, BRIGHTNESS = jax.random.key(0), 0.6


@pytest.fixture(scope="module")
def image():
    return jnp.full((200, 200, 3), 0.2)


def test_photons_and_dead_pixels(image):
    photons = simulate.poisson_noise(image, KEY, peak=100.0)
    np.testing.assert_allclose(jnp.mean(photons), 0.2, atol=2e-3)
    np.testing.assert_allclose(jnp.std(photons), 2 * (0.6 / 100) ** 0.5, rtol=0.02)
    dead = simulate.salt_and_pepper(image, KEY, 0.1)
    np.testing.assert_allclose([jnp.mean(dead == 1), jnp.mean(dead == -1)], 0.05, rtol=0.1)
    assert jnp.all((dead == 0.2) | (jnp.all(dead == dead[..., :1], axis=-1, keepdims=True)))  # whole pixels
    assert jnp.all(simulate.poisson_noise(-jnp.ones((4, 4, 3)), KEY, 10.0) == -1)


def test_noise_models_have_their_deviations(image):
    np.testing.assert_allclose(jnp.std(simulate.gaussian_noise(image, KEY, 0.2)), 0.2, rtol=0.02)
    np.testing.assert_allclose(jnp.std(simulate.speckle_noise(image, KEY, 0.2)), 0.2 * BRIGHTNESS, rtol=0.02)
    mixture = simulate.bird_noise(image, KEY, speckle=0.8, gaussian=0.3)
    wanted = np.hypot(0.8 * 0.8 * BRIGHTNESS, 0.2 * 0.3)
    np.testing.assert_allclose(jnp.std(mixture), wanted, rtol=0.02)
    np.testing.assert_allclose(jnp.mean(mixture), 0.2, atol=5e-3)


def test_noise_is_decided_by_its_key_and_has_the_images_precision(image):
    np.testing.assert_array_equal(
        simulate.gaussian_noise(image, KEY, 0.2), image + 0.2 * jax.random.normal(KEY, image.shape)
    )
    half = image[:4, :4].astype(jnp.bfloat16)
    models = (simulate.gaussian_noise, simulate.speckle_noise, simulate.salt_and_pepper, simulate.poisson_noise)
    assert all(model(half, KEY, 0.5).dtype == jnp.bfloat16 for model in models)
