"""Invert2Restore and DIIP: fully blind restoration."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore import operators, simulate
from jaxrestore.density.calibration import load_typical, save_typical
from jaxrestore.errors import PriorError
from jaxrestore.methods._diip import early_stop
from jaxrestore.simulate.degradations import DEGRADATIONS
from jaxrestore.solve.stopping import Status, sharpness

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def method():
    prior = jr.gaussian_prior(jnp.zeros((16, 16, 3)), 0.2)
    photographs = 0.2 * jax.random.normal(jax.random.key(3), (24, 16, 16, 3))
    calibrate = jax.jit(jr.calibrate, static_argnames="depths")
    return jr.invert2restore(prior, calibrate(prior, photographs, depths=(50, 100, 200)))


def images(count):
    return 0.2 * jax.random.normal(jax.random.key(7), (count, 16, 16, 3))


def test_a_noisy_image_comes_nearer_and_a_clean_one_stays(method):
    clean = images(6)
    noisy = clean + 0.4 * jax.random.normal(jax.random.key(8), clean.shape)
    restored, kept = jr.restore(method, noisy, KEY), jr.restore(method, clean, KEY)
    assert float(jnp.mean((restored.image - clean) ** 2)) < 0.5 * float(jnp.mean((noisy - clean) ** 2))
    assert float(jnp.mean((kept.image - clean) ** 2)) < 0.002
    same = kept.iterations == 1
    assert bool(jnp.any(same))
    np.testing.assert_array_equal(kept.image[same], clean[same])
    assert set(kept.status[same].tolist()) == {Status.FINISHED}
    assert "nothing more to change after 1 iteration" in kept.sentences[int(jnp.argmax(same))]


def test_a_round_is_pure_and_the_same_in_any_batch(method):
    noisy = images(3) + 0.4 * jax.random.normal(jax.random.key(8), (3, 16, 16, 3))
    together = jr.restore(method, noisy, KEY)
    alone = jax.jit(jr.run)(method, noisy[1], jax.random.key(5))  # nothing is drawn
    np.testing.assert_allclose(alone.image, together.image[1], atol=1e-5)
    state = jr.init(method, KEY, noisy[0])
    for _ in range(3):
        state, iterate = jr.step(method, state, noisy[0])
    np.testing.assert_allclose(iterate.image, together.image[0], atol=1e-5)
    changed = dataclasses.replace(method, untypical=jnp.array([0.0, 1e6]))
    axes = dataclasses.replace(jax.tree.map(lambda _: None, method), untypical=0)
    many = jax.jit(jax.vmap(lambda method: jr.run(method, noisy[0], KEY).image, (axes,)))(changed)
    moved = jnp.abs(many - noisy[0]).max((1, 2, 3))
    assert moved[0] > 0.1
    assert moved[1] == 0


def test_rounds_beyond_the_second_are_for_noise(method):
    noisy = images(4) + 0.8 * jax.random.normal(jax.random.key(8), (4, 16, 16, 3))
    for noisy_from, rounds in ((-1e6, 3), (1e6, 2)):
        changed = dataclasses.replace(method, noisy=jnp.float32(noisy_from), untypical=jnp.float32(0))
        assert jr.restore(changed, noisy, KEY).iterations.tolist() == [rounds] * 4


def test_a_correction_of_ones_own(method):
    y = images(1)[0] * 3
    finer = dataclasses.replace(method.typical, steps=20, refinements=4)
    kept = jr.invert2restore(method.prior, finer, correction=lambda noise, energy, strength: noise)
    np.testing.assert_allclose(jax.jit(jr.run)(kept, y, KEY).image, jnp.clip(y, -1, 1), atol=0.02)


def test_the_calibration_is_kept_with_the_prior(method, tmp_path, tiny):
    folder = tmp_path / "prior"
    jr.save_prior(tiny, folder)
    with pytest.raises(PriorError, match=r"has not been calibrated.*jaxrestore calibrate"):
        load_typical(folder)
    path = save_typical(method.typical, folder, photographs=24)
    again = load_typical(folder)
    assert (again.steps, again.refinements) == (method.typical.steps, method.typical.refinements)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), again, method.typical)
    text = path.read_text()
    for damage, sentence in (("{", "not JSON"), ("{}", "not a calibration"), (text.replace("level", "lvel"), "level")):
        path.write_text(damage)
        with pytest.raises(PriorError, match=sentence):
            load_typical(folder)


def test_the_embedded_prior_is_calibrated():
    typical = load_typical("flowers64")
    assert typical.energy.shape == (len(typical.depths), 8, 8, 3)
    assert bool(jnp.all(typical.spread > 0))


def test_diip_stops_by_its_rules(gaussian):
    y = 0.3 * jax.random.normal(jax.random.key(1), (8, 8, 3))
    method = jr.diip(gaussian, iterations=60, noise_lr=0.05)
    assert isinstance(method.operator, operators.Identity)
    assert not method.sphere
    flat = jr.restore(method, y, KEY, stop=dataclasses.replace(early_stop(), sharpness=0, slope=0.5))
    assert flat.status == Status.FLAT
    softer = jr.restore(method, y, KEY, stop=jr.Stop(sharpness=3))
    assert softer.status == Status.SOFTER
    assert 3 < softer.iterations <= 60


def test_sharpness_is_that_of_the_image():
    step = jnp.zeros((8, 8, 3)).at[:, 4:].set(1.0)
    ramp = jnp.broadcast_to(jnp.linspace(0, 1, 8)[:, None], (8, 8, 3))
    np.testing.assert_allclose(sharpness(ramp), 0, atol=1e-10)
    np.testing.assert_allclose(sharpness(step), 2 / 6, rtol=1e-5)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_degradations_are_repeatable_and_leave_the_picture(name):
    image = np.tile(np.linspace(-0.8, 0.8, 64, dtype=np.float32)[:, None, None], (1, 64, 3))
    image[20:30, 20:30] = 0.9
    one, same, other = (DEGRADATIONS[name](seed, image) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == image.shape
    assert one.min() >= -1
    assert one.max() <= 1
    assert 0 < np.mean((one - image) ** 2) < 0.1
    assert np.array_equal(one, other) == (name in ("jpeg", "reduction"))


def test_weather_is_differentiable_in_the_image_and_scales_with_it():
    image = jnp.zeros((64, 64, 3))
    rain = simulate.rain_streaks(KEY, image)
    assert float(rain.min()) >= 0
    np.testing.assert_allclose(jax.grad(lambda x: simulate.rain_streaks(KEY, x).sum())(image), 1, atol=1e-6)
    large = simulate.rain_streaks(KEY, jnp.zeros((128, 128, 3)))
    np.testing.assert_allclose(large.mean(), rain.mean(), rtol=0.15)
    window = jnp.tile(jnp.linspace(-1, 1, 64)[None, :, None], (64, 1, 3))
    wet = simulate.raindrops(KEY, window)
    dry = jnp.all(jnp.abs(wet - window) < 1e-3, axis=-1)
    assert 0.3 < float(dry.mean()) < 0.95
    both = jax.vmap(simulate.raindrops, (0, None))(jax.random.split(KEY), window)
    assert not np.allclose(both[0], both[1])
