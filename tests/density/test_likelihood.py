"""The likelihood of images under the closed-form prior."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jaxrestore as jr
from jaxrestore.density import log_likelihood

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def found(gaussian):
    """Of a sample, the mean, and something far off."""
    draws = np.random.default_rng(0).standard_normal((3, *gaussian.shape), np.float32)
    away = np.array([1.0, 0.0, 3.0], np.float32)[:, None, None, None]
    images = gaussian.parameters["mean"] + away * draws * np.asarray(gaussian.parameters["std"])
    likelihood = jax.jit(lambda images, key: jax.vmap(lambda image: log_likelihood(gaussian, image, key, 200))(images))
    return images, likelihood(images, KEY), likelihood


def test_it_is_the_normal_density(gaussian, found):
    images, likelihood, _ = found
    level = 1 / gaussian.schedule.alpha_bar[1] - 1
    deviation = np.sqrt(np.asarray(gaussian.parameters["std"]) ** 2 + level)
    exact = scipy.stats.norm.logpdf(images, gaussian.parameters["mean"], deviation).sum((1, 2, 3))
    np.testing.assert_allclose(likelihood.total, exact, rtol=0.01, atol=0.003 * images[0].size)
    np.testing.assert_allclose(likelihood.total, likelihood.noise + likelihood.volume, rtol=1e-5)


def test_a_diagonal_derivative_is_estimated_exactly(found):
    images, likelihood, function = found
    np.testing.assert_allclose(function(images, jax.random.key(5)).total, likelihood.total, rtol=1e-4)


def test_one_alone_is_as_in_a_batch_and_eagerly(gaussian, found):
    images, likelihood, _ = found
    alone = log_likelihood(gaussian, jnp.asarray(images[0]), KEY, 200)
    np.testing.assert_allclose(alone.total, likelihood.total[0], rtol=1e-4)


def test_it_holds_on_a_schedule_that_ends_in_nothing_but_noise():
    prior = jr.gaussian_prior(jnp.zeros((4, 4, 3)), 0.5, jr.schedule.cosine(300, max_beta=0.9999))
    image = 0.5 * np.random.default_rng(3).standard_normal(prior.shape, np.float32)
    level = 1 / prior.schedule.alpha_bar[1] - 1
    exact = scipy.stats.norm.logpdf(image, 0, np.sqrt(0.25 + level)).sum()
    found = jax.jit(log_likelihood, static_argnames="steps")(prior, jnp.asarray(image), KEY, steps=40)
    assert abs(float(found.total) - exact) < 0.05 * image.size  # nats


def test_what_has_no_likelihood_is_refused(gaussian):
    for steps, probes in ((1, 1), (9, 0)):
        with pytest.raises(jr.InputError, match="at least 2 steps and a probe"):
            log_likelihood(gaussian, jnp.zeros(gaussian.shape), KEY, steps, probes)
