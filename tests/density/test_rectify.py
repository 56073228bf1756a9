"""What is typical, and the ways to make a noise so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm

import jaxrestore as jr
from jaxrestore.density import corrections, normality
from jaxrestore.density.gaussian import objective, spectrum, to_patches
from jaxrestore.density.rectification import Strength, correct, descend_objective, rectify
from jaxrestore.density.typical import deviation, from_blocks, noise_of, to_blocks

FRESH = jax.random.normal(jax.random.key(0), (32, 32, 3))
ENERGY = jnp.ones((8, 8, 3))


@pytest.fixture(scope="module")
def typical():
    """The noise of Gaussian photographs under their own prior, and that prior."""
    prior = jr.gaussian_prior(jnp.zeros((16, 16, 3)), 0.5)
    photographs = 0.5 * jax.random.normal(jax.random.key(3), (24, 16, 16, 3))
    return prior, jax.jit(jr.calibrate, static_argnames="depths")(prior, photographs, depths=(50, 200))


@pytest.mark.parametrize("shape", [(32, 16, 3), (16, 16, 1), (24, 24, 2)])
def test_blocks_are_a_rotation(shape):
    noise = jax.random.normal(jax.random.key(1), shape)
    blocks = to_blocks(noise)
    np.testing.assert_allclose(jnp.sum(blocks**2), jnp.sum(noise**2), rtol=1e-5)
    np.testing.assert_allclose(from_blocks(blocks), noise, atol=1e-5)
    with pytest.raises(ValueError, match="must divide both sides"):
        to_blocks(noise, 7)


def test_the_noise_of_an_image_generates_it_again(gaussian):
    image = jnp.full((8, 8, 3), 0.3)
    noise = noise_of(gaussian, image, 200, 40, 3)
    level = gaussian.schedule.alpha_bar[200]
    x = jnp.sqrt(level) * image + jnp.sqrt(1 - level) * noise
    times = jr.schedule.partial_grid(gaussian.schedule, 200, 40)
    np.testing.assert_allclose(jr.diffusion.descend(gaussian, x, times, clip=False), image, atol=1e-4)


def test_a_partial_grid_ends_at_the_image(gaussian):
    times = jax.jit(jr.schedule.partial_grid, static_argnums=2)(gaussian.schedule, jnp.int32(100), 4)
    assert times.t.tolist() == [100, 75, 50, 25]
    np.testing.assert_array_equal(times.alpha_bar_next[:-1], times.alpha_bar[1:])
    assert times.alpha_bar_next[-1] == 1


def test_another_photograph_is_typical_and_a_degraded_one_is_not(typical):
    prior, statistics = typical
    images = 0.5 * jax.random.normal(jax.random.key(9), (40, 16, 16, 3))
    rough = images + 0.5 * jax.random.normal(jax.random.key(10), images.shape)

    @jax.jit
    @jax.vmap
    def scores(image):
        return deviation(
            noise_of(prior, image, statistics.depths[1], statistics.steps, statistics.refinements), statistics, 1
        )

    found = scores(images)
    assert abs(float(found.mean())) < 0.3
    assert 0.7 < float(found.std()) < 1.4
    assert float(jnp.median(jnp.abs(scores(rough)).max((1, 2)))) > 2 * float(jnp.median(jnp.abs(found).max((1, 2))))
    with pytest.raises(ValueError, match="give some dozens"):
        jr.calibrate(prior, images[:2])
    with pytest.raises(ValueError, match="Depths must rise"):
        jr.calibrate(prior, images, depths=(50, 20))


def test_a_typical_noise_hardly_moves_and_an_untypical_one_comes_nearer(typical):
    _, statistics = typical
    noise = 0.5 * jnp.sqrt(statistics.energy[1].mean()) * jax.random.normal(jax.random.key(4), (16, 16, 3))
    loud = noise.at[:8].multiply(4)
    quiet, corrected = rectify(noise / 0.5, statistics, 1), rectify(loud / 0.5, statistics, 1)
    assert float(quiet.moved) < 0.25 * float(corrected.moved)
    assert float(jnp.abs(corrected.after).mean()) < float(jnp.abs(corrected.before).mean())
    identity = rectify(loud, statistics, 1, correction=lambda noise, energy, strength: noise)
    assert float(identity.moved) == 0
    np.testing.assert_array_equal(identity.before, identity.after)


def test_each_part_of_the_correction_does_its_own():
    still = Strength(pixel=jnp.inf, local=jnp.inf, everywhere=jnp.inf, boost=1.0)
    loud = 1.2 * FRESH
    np.testing.assert_allclose(correct(loud, ENERGY, still), loud, atol=1e-5)
    spot = loud.at[10, 12].set(20.0)
    calmed = correct(spot, ENERGY, still._replace(pixel=12.0))
    assert float(jnp.abs(calmed[10, 12]).max()) < 10
    np.testing.assert_allclose(calmed[20:, 20:], loud[20:, 20:], atol=1e-5)
    wave = loud + 3 * jnp.cos(jnp.pi * jnp.arange(32))[:, None, None]
    flat = correct(wave, ENERGY, still._replace(everywhere=1.5))
    assert float(jnp.mean(flat**2)) < 0.5 * float(jnp.mean(wave**2))
    weak = correct(0.5 * FRESH, ENERGY, Strength(boost=1.6))  # what has lost is only raised
    assert float(jnp.mean(weak**2)) > 1.2 * float(jnp.mean((0.5 * FRESH) ** 2))


def test_corrections_are_functions_for_jit_vmap_and_grad():
    batch = jax.random.normal(jax.random.key(2), (3, 16, 16, 3)) * 1.5
    functions = {
        "correct": lambda z: correct(z, ENERGY),
        "sphere": corrections.sphere,
        "sphere8": lambda z: corrections.sphere(z, 8),
        "mean_and_norm": corrections.mean_and_norm,
        "rank_gaussian": corrections.rank_gaussian,
        "whiten_bands": corrections.whiten_bands,
    }
    for name, function in functions.items():
        together = jax.jit(jax.vmap(function))(batch)
        np.testing.assert_allclose(together[1], function(batch[1]), atol=1e-5, err_msg=name)
        assert np.all(np.isfinite(jax.jit(jax.grad(lambda z, f=function: jnp.sum(f(z) ** 2)))(batch[0]))), name


def test_nearest_points_have_their_property():
    z = 1.3 * FRESH + 0.2
    np.testing.assert_allclose(jnp.mean(corrections.sphere(z) ** 2), 1, rtol=1e-5)
    np.testing.assert_allclose(jnp.mean(to_patches(corrections.sphere(z, 8), 8) ** 2, axis=-1), 1, rtol=1e-5)
    patches = to_patches(corrections.mean_and_norm(z, 8), 8)
    np.testing.assert_allclose(patches.mean(-1), 0, atol=1e-6)
    np.testing.assert_allclose(jnp.mean(patches**2, axis=-1), 1, rtol=1e-5)
    ranked = to_patches(corrections.rank_gaussian(z, 8), 8)
    np.testing.assert_allclose(jnp.sort(ranked, -1)[0, 0], norm.ppf((jnp.arange(64) + 0.5) / 64), atol=1e-5)
    np.testing.assert_array_equal(jnp.argsort(ranked, -1), jnp.argsort(to_patches(z, 8), -1))
    coefficients = spectrum(to_patches(corrections.whiten_bands(z, 8), 8))
    np.testing.assert_allclose(jnp.mean(coefficients**2), 1, rtol=1e-4)


def test_mixing_is_the_least_that_passes():
    fresh = jax.random.normal(jax.random.key(5), FRESH.shape)
    loud = FRESH.at[:8, :8].multiply(3)

    def fails(noise):
        return normality.norm_test(to_patches(noise, 8)) < 1e-4

    mixed = corrections.mix_until(loud, fresh, fails)
    assert not bool(jnp.any(fails(mixed)))
    np.testing.assert_array_equal(mixed[8:, 8:], FRESH[8:, 8:])
    np.testing.assert_allclose(jnp.var(corrections.mix(FRESH, fresh, 0.6)), 1, atol=0.05)


def test_the_gradient_lowers_the_objective_and_stays_near():
    loud = FRESH.at[:16, :16].multiply(1.5)
    near, far = (jax.jit(descend_objective)(loud, weight) for weight in (1e-3, 1e-1))
    assert float(objective(far)) < float(objective(near)) < float(objective(loud))
    assert float(jnp.mean((near - loud) ** 2)) < float(jnp.mean((far - loud) ** 2)) < 0.1
