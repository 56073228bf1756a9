"""DreamClean on the closed-form prior, where each of its moves is a number."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from killed import killed_and_started_again

import jaxrestore as jr
from jaxrestore.diffusion.ddim import ascend, descend
from jaxrestore.diffusion.tuned import Tuned
from jaxrestore.methods._dreamclean import corrected

KEY = jax.random.key(0)
NOISE = np.random.default_rng(8).standard_normal((3, 8, 8, 3), np.float32)
GAMMAS = (0.05, 0.3, 1.0)
run = jax.jit(jr.run)
runs = jax.jit(jax.vmap(jr.run, in_axes=(None, None, 0)))


@pytest.fixture(scope="module")
def prior():
    return jr.gaussian_prior(jnp.full((8, 8, 3), 0.1), 0.2)


@pytest.fixture(scope="module")
def method(prior):
    return jr.dreamclean(prior, gamma=0.3, noise_to_signal=1.0, steps=5)


@pytest.fixture(scope="module")
def noisy():
    return jax.device_put(0.1 + np.hypot(0.2, 0.4) * NOISE)


def test_without_corrections_it_is_inversion_and_generation(gaussian):
    for corrections, gamma in ((1, 0.0), (0, 0.3)):
        method = jr.dreamclean(
            gaussian, gamma=gamma, noise_to_signal=1.0, corrections=corrections, steps=5, refinements=2
        )
        y = jnp.asarray(0.3 * NOISE[0])
        x = ascend(gaussian, y, method.times, refinements=2)
        wanted = jnp.clip(descend(gaussian, x, method.times, clip=False), -1, 1)
        np.testing.assert_allclose(run(method, y, KEY).image, wanted, atol=1e-5)
        assert np.abs(wanted - y).max() < 0.1  # it comes back, up to the size of the steps


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("t", [5, 100, 400, 999])
def test_a_correction_of_gaussian_data_keeps_mean_and_variance_up_to_its_known_bias(gaussian, gamma, t):
    """x_t has mean sqrt(ab) m and variance v, and r = (1 - ab) / v of it is noise; everything is affine in x and fresh."""
    alpha_bar = float(gaussian.schedule.alpha_bar[t])
    mean, std = (np.asarray(gaussian.parameters[name], np.float64) for name in ("mean", "std"))
    centre, v = alpha_bar**0.5 * mean, alpha_bar * std**2 + 1 - alpha_bar
    r, still = (1 - alpha_bar) / v, jnp.zeros(mean.shape)

    def distance(x, fresh=still):
        return np.asarray(corrected(gaussian, jnp.asarray(x, jnp.float32), t, gamma, fresh), np.float64) - centre

    np.testing.assert_allclose(distance(centre), 0, atol=1e-6)
    kept, added = distance(centre + 1), distance(centre, still + 1)
    np.testing.assert_allclose(kept, 1 - gamma * r, atol=1e-5)
    np.testing.assert_allclose(kept**2 * v + added**2, v * (1 - gamma**2 * r * (1 - r)), atol=1e-5)
    # what is too much comes nearer to where the variance rests, by one factor whatever it was
    rest = v * (1 - gamma / 2) / (1 - gamma * r / 2)
    for excess in (0.5, -0.1):
        after = kept**2 * (rest + excess) + added**2
        np.testing.assert_allclose(after - rest, (1 - gamma * r) ** 2 * excess, atol=1e-5)
    assert np.all(np.abs(rest / v - 1) <= gamma / 2)


def test_a_noise_as_it_should_be_keeps_its_variance():
    """Of data without spread all is noise: exactly."""
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.0)
    for gamma in GAMMAS:
        moved = corrected(prior, jnp.asarray(NOISE[0]), 300, gamma, jnp.zeros(prior.shape))
        np.testing.assert_allclose(moved, (1 - gamma) * NOISE[0], atol=1e-5)
        added = corrected(prior, jnp.zeros(prior.shape), 300, gamma, jnp.ones(prior.shape))
        np.testing.assert_allclose((1 - gamma) ** 2 + added**2 / (1 - prior.schedule.alpha_bar[300]), 1, atol=1e-5)


@pytest.mark.parametrize("corrections", [1, 2])
def test_a_whole_run_is_the_product_of_its_moves(prior, corrections):
    """Of y - m the image keeps a factor, and fresh noise has a variance, both of the recursion in closed form."""
    method = jr.dreamclean(prior, gamma=0.3, noise_to_signal=1.0, steps=4, corrections=corrections)
    y = jnp.asarray(0.1 + 0.3 * NOISE[0])
    images = np.asarray(runs(method, y, jax.random.split(KEY, 64)).image, np.float64) - 0.1
    _, levels, following = (np.asarray(part, np.float64) for part in method.times)
    share = np.sqrt(1 - levels) / (levels * 0.04 + 1 - levels)  # of x - sqrt(ab) m that is taken for noise
    up = np.sqrt(levels / following) * (1 - np.sqrt(1 - following) * share) + np.sqrt(1 - levels) * share
    down = np.sqrt(following / levels) * (1 - np.sqrt(1 - levels) * share) + np.sqrt(1 - following) * share
    factor, variance = np.prod(up), 0.0
    for level, part, step in zip(levels, share, down, strict=True):
        for _ in range(corrections):
            kept = 1 - 0.3 * np.sqrt(1 - level) * part
            factor, variance = kept * factor, kept**2 * variance + 0.3 * 1.7 * (1 - level)
        factor, variance = step * factor, step**2 * variance
    assert np.abs(images).max() < 0.9  # nothing was clipped
    found = images.mean(0).ravel() @ NOISE[0].ravel() * 0.3 / np.sum((0.3 * NOISE[0]) ** 2)
    np.testing.assert_allclose(found, factor, atol=4 * np.sqrt(variance / images.size) / 0.3)
    np.testing.assert_allclose(images.var(0, ddof=1).mean(), variance, rtol=0.06)  # deviation of the estimate: 1.3 %


def test_noise_is_taken_away(prior, noisy):
    clean = 0.1 + 0.2 * NOISE[0]
    y = clean + 0.4 * NOISE[1]
    result = jr.restore(jr.dreamclean(prior, gamma=0.3, noise_to_signal=1.0, restarts=8), y, KEY)
    assert np.mean((result.image - clean) ** 2) < 0.4 * 0.4**2
    assert result.message == "all 30 iterations were run"
    one = np.asarray(result.restarts.image[0])
    assert abs(one.std() - 0.2) < 0.05 < np.asarray(y).std() - 0.2  # as much as the data have, and no longer too much
    assert np.abs(result.restarts.image[0] - result.restarts.image[1]).max() > 0.05


def test_vmap_is_the_loop_and_jit_is_the_loop_by_hand(method, noisy):
    keys = jax.random.split(KEY, 3)
    many = jax.jit(jax.vmap(jr.run, in_axes=(None, 0, 0)))(method, noisy, keys)
    for i in range(3):
        alone = run(method, noisy[i], keys[i])
        np.testing.assert_allclose(many.image[i], alone.image, atol=1e-5)
    state = method.init(noisy[2], keys[2])
    for _ in range(method.iterations):
        state, iterate = method.step(state, noisy[2])
    np.testing.assert_allclose(iterate.image, alone.image, atol=1e-5)
    np.testing.assert_allclose(iterate.image, jnp.clip(state.x, -1, 1), atol=1e-6)
    assert np.abs(run(method, noisy[2], KEY).image - alone.image).max() > 0.01
    changed = dataclasses.replace(method, gamma=jnp.array([0.0, 0.3]))
    axes = dataclasses.replace(jax.tree.map(lambda _: None, method), gamma=0)
    by_gamma = jax.jit(jax.vmap(lambda method: jr.run(method, noisy[2], keys[2]).image, (axes,)))(changed)
    np.testing.assert_allclose(by_gamma[1], alone.image, atol=1e-5)
    assert np.abs(by_gamma[0] - by_gamma[1]).max() > 0.1


def test_a_batch_with_restarts_goes_on_from_a_checkpoint(method, noisy, tmp_path):
    method = dataclasses.replace(method, restarts=2)
    whole = jr.restore(method, noisy, KEY, chunk_size=2)
    np.testing.assert_allclose(whole.image, np.mean(whole.restarts.image, 0), atol=1e-6)
    np.testing.assert_allclose(whole.restarts.image[0, 1], run(method, noisy[1], KEY).image, atol=1e-5)
    again, iterations = killed_and_started_again(method, noisy, KEY, tmp_path)
    assert iterations == [5]
    np.testing.assert_allclose(again.image, whole.image, atol=1e-5)


def test_it_says_how_many_evaluations_it_makes():
    calls = []

    def network(parameters, x, t):
        calls.append(t)
        return parameters["share"] * x

    prior = jr.Prior(network, {"share": jnp.float32(0.5)}, jr.schedule.linear(), (4, 4, 3))
    published = jr.dreamclean(prior)
    assert published.evaluations * published.iterations == 90
    with jax.disable_jit():
        for arguments in ({}, {"corrections": 2, "refinements": 1}):
            method = jr.dreamclean(prior, steps=2, **arguments)
            calls.clear()
            state = method.init(jnp.zeros((4, 4, 3)), KEY)
            for _ in range(2):
                state, _ = method.step(state, jnp.zeros((4, 4, 3)))
            assert len(calls) == method.evaluations * 2


def test_its_depth_follows_the_schedule():
    for schedule in (jr.schedule.linear(), jr.schedule.cosine(300)):
        prior = jr.gaussian_prior(jnp.zeros((4, 4, 3)), 0.2, schedule)
        for ratio in (0.5, 2.0):
            level = jr.dreamclean(prior, noise_to_signal=ratio).times.alpha_bar[0]
            assert abs(float((1 / level - 1) ** 0.5) - ratio) < 0.02


def test_settings_come_from_the_prior_and_wrong_ones_get_a_sentence(prior):
    assert jr.published("dreamclean") == jr.DreamCleanSettings()
    tuned = dataclasses.replace(prior, settings=Tuned.of({"dreamclean": {"any": {"gamma": 0.25, "steps": 7}}}))
    method = jr.dreamclean(tuned, corrections=3)
    assert (float(method.gamma), method.iterations, method.corrections) == (0.25, 7, 3)
    assert jr.dreamclean(tuned, settings=jr.DreamCleanSettings()).iterations == 30
    for wrong, sentence in (
        ({"gamma": 1.5}, "gamma must lie between 0 and 1, not 1.5"),
        ({"gamma": -0.1}, "gamma must lie between 0 and 1"),
        ({"noise_to_signal": 0.0}, "noise_to_signal must be a number above 0, not 0.0"),
        ({"corrections": -1}, "corrections must be at least 0, not -1"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"refinements": -1}, "refinements must be at least 0, not -1"),
    ):
        with pytest.raises(jr.InputError, match=sentence):
            jr.dreamclean(prior, **wrong)
    with pytest.raises(jr.InputError, match="give the method a sigma_y"):
        jr.restore(jr.dreamclean(prior, restarts=2, combine="best"), jnp.zeros(prior.shape), KEY)
