"""Invert2Restore and DIIP: fully blind restoration."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.density.rectification import Strength
from jaxrestore.diffusion.statistics import read_statistics, write_statistics
from jaxrestore.stopping import LessSharp, SmallSlope, Status, sharpness

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def method():
    prior = jr.gaussian_prior(jnp.zeros((16, 16, 3)), 0.2)
    photographs = 0.2 * np.random.default_rng(3).standard_normal((24, 16, 16, 3), np.float32)
    calibrate = jax.jit(jr.calibrate, static_argnames="depths")
    statistics = calibrate(prior, photographs, depths=(50, 100, 200))
    return jr.invert2restore(dataclasses.replace(prior, statistics=statistics))


CLEAN = 0.2 * np.random.default_rng(7).standard_normal((6, 16, 16, 3), np.float32)
NOISE = np.random.default_rng(8).standard_normal(CLEAN.shape, np.float32)


@pytest.fixture(scope="module")
def restored(method):
    return jr.restore(method, CLEAN + 0.4 * NOISE, KEY)


def test_a_noisy_image_comes_nearer_and_a_clean_one_stays(method, restored):
    kept = jr.restore(method, CLEAN, KEY)
    assert np.mean((restored.image - CLEAN) ** 2) < 0.5 * np.mean((0.4 * NOISE) ** 2)
    assert np.mean((kept.image - CLEAN) ** 2) < 0.002
    same = np.asarray(kept.iterations) == 1
    assert np.any(same)
    np.testing.assert_array_equal(np.asarray(kept.image)[same], CLEAN[same])
    assert set(np.asarray(kept.status)[same].tolist()) == {Status.FINISHED}
    assert "nothing more to change after 1 iteration" in kept.messages[int(np.argmax(same))]


def test_a_round_is_pure_and_the_same_in_any_batch(method, restored):
    noisy = jax.device_put(CLEAN[:2] + 0.4 * NOISE[:2])
    alone = jax.jit(jr.run)(method, noisy[1], jax.random.key(5))  # nothing is drawn
    np.testing.assert_allclose(alone.image, restored.image[1], atol=1e-5)
    state = jr.init(method, noisy[0], KEY)
    for _ in range(3):
        state, iterate = jr.step(method, state, noisy[0])
    np.testing.assert_allclose(iterate.image, restored.image[0], atol=1e-5)
    changed = dataclasses.replace(method, untypical=jnp.array([0.0, 1e6]))
    axes = dataclasses.replace(jax.tree.map(lambda _: None, method), untypical=0)
    many = jax.jit(jax.vmap(lambda method: jr.run(method, noisy[0], KEY).image, (axes,)))(changed)
    moved = np.abs(many - noisy[0]).max((1, 2, 3))
    assert moved[0] > 0.1
    assert moved[1] == 0


def test_rounds_beyond_the_second_are_for_noise(method):
    for noisy_from, rounds in ((-1e6, 3), (1e6, 2)):
        changed = dataclasses.replace(method, noisy=jnp.float32(noisy_from), untypical=jnp.float32(0))
        assert jr.restore(changed, CLEAN + 0.8 * NOISE, KEY).iterations.tolist() == [rounds] * 6


def test_a_correction_of_ones_own(method):
    y = 3 * CLEAN[0]
    finer = dataclasses.replace(method.statistics, steps=20, refinements=4)
    prior = dataclasses.replace(method.prior, statistics=finer)
    kept = jr.invert2restore(prior, correction=lambda noise, energy, strength: noise)
    np.testing.assert_allclose(jax.jit(jr.run)(kept, y, KEY).image, np.clip(y, -1, 1), atol=0.02)


def test_the_statistics_are_kept_with_the_prior(method, tmp_path, tiny):
    folder, statistics = tmp_path / "prior", method.statistics
    jr.save_prior(tiny, folder)
    assert jr.load_prior(folder).statistics is None
    with pytest.raises(jr.InputError, match=r"'tiny' has not been calibrated.*jaxrestore calibrate"):
        jr.invert2restore(tiny, settings=jr.CalibratedSettings())
    path = write_statistics(statistics, folder, photographs=24)
    again = jr.load_prior(folder).statistics
    assert (again.steps, again.refinements) == (statistics.steps, statistics.refinements)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), again, statistics)
    jr.save_prior(dataclasses.replace(tiny, statistics=again), tmp_path / "copy")
    jax.tree.map(np.testing.assert_array_equal, jr.load_prior(tmp_path / "copy").statistics, again)
    text = path.read_text()
    for damage, sentence in (("{", "not JSON"), ("{}", "not a calibration"), (text.replace("level", "lvel"), "level")):
        path.write_text(damage)
        with pytest.raises(jr.PriorError, match=sentence):
            read_statistics(folder)


def test_the_embedded_prior_carries_statistics_and_settings():
    prior = jr.load_prior("flowers64")
    assert prior.statistics.energy.shape == (len(prior.statistics.depths), 8, 8, 3)
    assert bool(jnp.all(prior.statistics.spread > 0))
    method = jr.invert2restore(prior)
    np.testing.assert_allclose((method.untypical, method.noisy), (2.5, 4.2))
    assert method.iterations == len(prior.statistics.depths)


def test_a_keyword_of_the_other_case_is_refused(method):
    prior = method.prior
    with pytest.raises(jr.InputError, match="noise_lr is for an operator, and there is none"):
        jr.invert2restore(prior, noise_lr=0.1)
    with pytest.raises(jr.InputError, match="strength is for the fully blind method"):
        jr.invert2restore(prior, jr.Identity(), strength=Strength())


def test_diip_stops_by_its_rules(gaussian):
    y = 0.3 * np.random.default_rng(1).standard_normal((8, 8, 3), np.float32)
    method = jr.diip(gaussian, iterations=60, noise_lr=0.05)
    slope, less_sharp = method.stop.rules
    assert isinstance(method.operator, jr.Identity)
    assert (type(slope), type(less_sharp)) == (SmallSlope, LessSharp)
    assert (slope.fraction, slope.after, less_sharp.after) == (0.001, 100, 100)
    flat = jr.restore(dataclasses.replace(method, stop=jr.small_slope(0.5, after=3)), y, KEY)
    assert (flat.status, flat.iterations) == (Status.FLAT, 4)
    softer = jr.restore(dataclasses.replace(method, stop=jr.less_sharp(3)), y, KEY)
    assert softer.status == Status.SOFTER
    assert 3 < softer.iterations <= 60


def test_diip_ends_near_the_best_image_of_its_path():
    """Half of the pixels hardly vary in the data: on the way to y what they have of noise comes last."""
    wide = np.indices((8, 8)).sum(0)[..., None] % 2 == 0
    std = np.broadcast_to(np.where(wide, 0.3, 0.01), (8, 8, 3)).astype(np.float32)
    rng = np.random.default_rng(0)
    clean = 1.5 * std * rng.choice(np.float32([-1, 1]), (3, 8, 8, 3))
    y = jnp.asarray(clean + 0.2 * rng.standard_normal(clean.shape, np.float32))
    method = jr.diip(jr.gaussian_prior(jnp.zeros((8, 8, 3)), jnp.asarray(std)), noise_lr=0.01, skip=250)

    @jax.jit
    def path(method, y):
        def forward(state, _):
            state, iterate = jr.step(method, state, y)
            return state, jnp.mean((iterate.image - clean) ** 2, axis=(1, 2, 3))

        return jax.lax.scan(forward, jr.init(method, y, KEY), length=method.iterations)[1]

    errors, result = np.asarray(path(method, y)), jr.restore(method, y, KEY, chunk_size=100)
    stopped = errors[np.asarray(result.iterations) - 1, range(3)]
    np.testing.assert_allclose(stopped, np.mean((result.image - clean) ** 2, axis=(1, 2, 3)), rtol=1e-3)
    assert result.status.tolist() == [Status.FLAT] * 3
    assert np.all(stopped < 1.4 * errors.min(0))
    assert np.all(errors[-1] > 1.5 * errors.min(0))  # it isn't only that all of them are good
    assert np.all(errors[4] > 5 * errors.min(0))


def test_sharpness_is_that_of_the_image():
    step, found = np.zeros((8, 8, 3), np.float32), jax.jit(sharpness)
    step[:, 4:] = 1
    ramp = np.broadcast_to(np.linspace(0, 1, 8, dtype=np.float32)[:, None], (8, 8, 3))
    np.testing.assert_allclose(found(ramp), 0, atol=1e-10)
    np.testing.assert_allclose(found(step), 2 / 6, rtol=1e-5)
