"""Invert2Restore with an operator: noise and parameters found together."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.density.gaussian import objective, to_patches

KEY = jax.random.key(0)
SHAPE = (16, 16, 3)


@jr.register
@dataclasses.dataclass(frozen=True)
class Twice:
    """H(image) = the image, and beside it the image times an unknown gain."""

    gain: jax.Array
    unknown = ("gain",)

    def __call__(self, image):
        return jnp.concatenate([image, self.gain * image], axis=-1)


@pytest.fixture(scope="module")
def prior():
    return jr.gaussian_prior(jnp.zeros(SHAPE), 0.3)


@pytest.fixture(scope="module")
def image(prior):
    return jr.unroll(prior, jax.random.normal(jax.random.key(9), SHAPE), clip=False)


@pytest.mark.parametrize("every", [0, 5], ids=["by Adam", "by Gauss-Newton steps"])
def test_noise_and_gain_reach_the_closed_form(prior, image, every):
    """Of a noisy pair (y1, y2) the least squares in image and gain are the best matrix of rank one: total least squares."""
    clean = np.concatenate([image, np.float32(0.7) * image], axis=-1)
    y = clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape, np.float32)
    settings = {"gradient": "full", "noise_lr": 0.1, "operator_lr": 0.03, "decay": "cosine"}
    alternating = {"operator_every": every, "operator_from": 0.1, "damping": 0.0} if every else {}
    method = jr.invert2restore(prior, Twice(jnp.float32(0.1)), iterations=400, clip=False, **settings, **alternating)
    method = dataclasses.replace(method, density=None)
    found = jax.jit(jr.run)(method, y, KEY)
    rows = np.stack([np.ravel(y[..., :3]), np.ravel(y[..., 3:])])
    left, values, right = np.linalg.svd(rows, full_matrices=False)
    np.testing.assert_allclose(found.operator.gain, left[1, 0] / left[0, 0], rtol=2e-3)
    np.testing.assert_allclose(np.ravel(found.image), left[0, 0] * values[0] * right[0], atol=5e-3)


def test_density_and_rectification_bring_the_noise_to_the_typical_set(prior, image):
    y = image + 0.4 * np.random.default_rng(0).standard_normal(SHAPE, np.float32)  # what a free noise reproduces
    settings = {"iterations": 60, "noise_lr": 0.1, "gradient": "full", "clip": False}

    def noise_of(**changes):
        method = jr.invert2restore(prior, jr.Identity(), **settings)
        return jax.jit(jr.run)(dataclasses.replace(method, **changes), y, KEY).noise

    free, weighted = noise_of(density=None), noise_of(density=jnp.float32(0.05), density_decay="cosine")
    height = jax.jit(objective)
    assert height(weighted) < 0.2 * height(free)
    rectified = noise_of(density=None, rectify_every=1)
    np.testing.assert_allclose(np.mean(np.square(to_patches(rectified, 8)), axis=-1), 1, rtol=1e-5)


def test_weights_and_operator_starts_are_batched(prior, image):
    """A vmap over weights, and restarts from different starts of noise and operator in one program, equal runs alone."""
    operator = jr.Tone(unknown=("stops", "log_gamma"))
    y = jr.Tone(-0.5, gamma=1.2)(image)
    method = jr.invert2restore(prior, operator, iterations=4, spread=0.2, density=0.0)
    axes = dataclasses.replace(jax.tree.map(lambda _: None, method), density=0)
    weights = jnp.array([0.0, 1e-2])
    many = jax.jit(jax.vmap(lambda method: jr.run(method, y, KEY).image, (axes,)))(
        dataclasses.replace(method, density=weights)
    )
    alone = jax.jit(jr.run)(dataclasses.replace(method, density=weights[1]), y, KEY)
    np.testing.assert_allclose(many[1], alone.image, atol=1e-5)
    method, keys = dataclasses.replace(method, density=None), jax.random.split(KEY, 2)
    starts = [method.init(y, key).unknown for key in keys]
    assert abs(starts[0].stops - starts[1].stops) > 1e-3
    assert starts[0].log_balance is None
    restarts = jax.jit(jax.vmap(jr.run, (None, None, 0)))(method, y, keys)
    np.testing.assert_allclose(restarts.image[1], jax.jit(jr.run)(method, y, keys[1]).image, atol=1e-5)
    best = jr.restore(dataclasses.replace(method, restarts=3), y, KEY)
    assert best.score == jnp.min(jnp.abs(best.data_term))  # of weight 0, chosen without the truth


def test_the_search_starts_at_the_rectified_noise(prior, image):
    """Of a clean measurement, enlarged where it is small, the start already is the image; fresh noise moves it."""
    photographs = 0.3 * np.random.default_rng(3).standard_normal((24, *SHAPE), np.float32)
    statistics = jax.jit(jr.calibrate, static_argnames="depths")(prior, photographs, depths=(50, 100))
    known = dataclasses.replace(prior, statistics=statistics)
    settings = {"origin": "rectified", "clip": False}
    method = jr.invert2restore(known, jr.Identity(), **settings)
    start = jax.jit(lambda method: method.generate(method.init(image, KEY).noise))
    assert float(metrics.psnr(start(method), image)) > 35
    mixed = jr.invert2restore(known, jr.Identity(), fresh=0.5, **settings)
    assert 10 < float(metrics.psnr(start(mixed), image)) < 30
    small = jr.invert2restore(known, jr.AveragePool(2), **settings)
    assert jax.eval_shape(lambda image: small.init(jr.AveragePool(2)(image), KEY).noise, image).shape == SHAPE
    grey = jr.invert2restore(known, jr.Grayscale(), **settings)
    assert np.all(np.isfinite(jax.jit(lambda image: grey.init(jr.Grayscale()(image), KEY).noise)(image)))
    with pytest.raises(jr.InputError, match="has not been calibrated"):
        jr.invert2restore(prior, jr.Identity(), **settings)


def test_uncertainty_and_its_rank_correlation():
    deviations = np.linspace(0.1, 1, 20, dtype=np.float32).reshape(4, 5)
    samples = np.random.default_rng(0).standard_normal((500, 4, 5, 3), np.float32) * deviations[..., None]
    np.testing.assert_allclose(jax.jit(metrics.uncertainty)(samples), deviations, rtol=0.15)
    a, b = np.random.default_rng(0).random((2, 40), np.float32)
    np.testing.assert_allclose(jax.jit(metrics.rank_correlation)(a, b), spearmanr(a, b).statistic, rtol=1e-4)
