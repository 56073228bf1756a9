"""Invert2Restore to the letter: fully blind, without statistics."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.density.typical import image_of_noise, noise_of
from jaxrestore.diffusion.schedule import depth_of
from jaxrestore.methods.literal import polished

KEY = jax.random.key(0)
CLEAN = 0.2 * np.random.default_rng(7).standard_normal((4, 16, 16, 3), np.float32)
NOISE = np.random.default_rng(8).standard_normal(CLEAN.shape, np.float32)


@pytest.fixture(scope="module")
def method():
    return jr.invert2restore(jr.gaussian_prior(jnp.zeros((16, 16, 3)), 0.2))


@pytest.fixture(scope="module")
def restored(method):
    return jr.restore(method, CLEAN + 0.4 * NOISE, KEY)


def test_noise_is_taken_away_and_a_clean_image_stays(method, restored):
    assert np.mean((restored.image - CLEAN) ** 2) < 0.5 * np.mean((0.4 * NOISE) ** 2)
    kept = jr.restore(method, CLEAN, KEY)
    assert np.mean((kept.image - CLEAN) ** 2) < 0.004  # of 0.04: a test of four patches errs
    assert kept.iterations.tolist() == [1] * 4
    assert np.all(restored.iterations > 1)
    assert np.all(restored.score < 1.06)


def test_a_round_is_pure_and_the_same_in_any_batch(method, restored):
    noisy = jax.device_put(CLEAN + 0.4 * NOISE)
    alone = jax.jit(jr.run)(method, noisy[1], jax.random.key(5))  # nothing is drawn
    np.testing.assert_allclose(alone.image, restored.image[1], atol=1e-5)
    changed = dataclasses.replace(method, p=jnp.array([1e-6, 0.5]))
    axes = dataclasses.replace(jax.tree.map(lambda _: None, method), p=0)
    many = jax.jit(jax.vmap(lambda method: jr.run(method, noisy[0], KEY).image, (axes,)))(changed)
    assert np.abs(many[0] - noisy[0]).max() > np.abs(many[0] - many[1]).min()
    assert float(jnp.sum(many[0] ** 2)) > float(jnp.sum(many[1] ** 2))  # a smaller level leaves more


def test_the_variant_follows_the_prior_and_the_settings(method, tiny):
    assert type(method).__name__ == "LiteralInvert2Restore"
    assert type(jr.invert2restore(jr.load_prior("flowers64"))).__name__ == "CalibratedInvert2Restore"
    literal = jr.invert2restore(
        jr.load_prior("flowers64"), settings=jr.LiteralSettings(noise_to_signal=(1.0, 2.0), p=0.1)
    )
    assert (literal.iterations, round(float(literal.p), 3)) == (2, 0.1)
    with pytest.raises(jr.InputError, match="untypical is for the calibrated variant"):
        jr.invert2restore(tiny, untypical=1.0)
    with pytest.raises(jr.InputError, match="takes LiteralSettings or CalibratedSettings"):
        jr.invert2restore(tiny, settings=jr.JointSettings())


def test_the_depth_follows_the_schedule():
    for schedule in (jr.schedule.linear(), jr.schedule.cosine(300)):
        t = int(depth_of(schedule, 2.0))
        assert abs(float((1 / schedule.alpha_bar[t] - 1) ** 0.5) - 2) < 0.02
        assert int(depth_of(schedule, 1e-9)) == 1


def test_a_polished_noise_generates_the_image_more_exactly(method):
    depth, image = depth_of(method.prior.schedule, 2.0), jnp.asarray(CLEAN[0])
    few = 15  # steps of an inversion without refinements, which is off

    def error(noise):
        return jnp.sqrt(jnp.mean((image_of_noise(method.prior, image, noise, depth, few) - image) ** 2))

    @jax.jit
    def errors():
        noise = noise_of(method.prior, image, depth, few, 0)
        return [error(polished(method.prior, image, noise, depth, few, count)) for count in (0, 40)]

    before, after = errors()
    assert after < 0.5 * before
    assert jr.invert2restore(method.prior, settings=jr.LiteralSettings(polish=3)).evaluations == 15 * (2 + 1 + 3)
