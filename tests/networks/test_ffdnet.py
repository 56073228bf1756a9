"""The network of photographs of any size: in tiles as whole, at odd sizes, and its Gaussian in closed form."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.networks.ffdnet import COLOURS, Photographs, gaussian_denoised

SMALL = Photographs(image_size=8, width=4, layers=3, levels=10, tile=512)
ffdnet = jax.jit(Photographs.ffdnet, static_argnums=0)
gaussian = jax.jit(gaussian_denoised)


@pytest.fixture(scope="module")
def parameters():
    return SMALL.init(jax.random.key(0))


def noise(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


@pytest.mark.parametrize("size", [(60, 44), (37, 51)])
def test_in_tiles_the_numbers_are_those_of_the_whole(parameters, size):
    x, sigma = noise(2, *size, 3), jnp.array([0.1, 0.4])
    whole = ffdnet(SMALL, parameters["network"], x, sigma)
    assert whole.shape == x.shape
    tiled = ffdnet(replace(SMALL, tile=12), parameters["network"], x, sigma)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_an_odd_side_is_continued_by_its_last_pixels(parameters):
    x, sigma = noise(1, 9, 13, 3), jnp.array([0.2])
    even = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)), mode="edge")
    found = ffdnet(SMALL, parameters["network"], x, sigma)
    np.testing.assert_allclose(found, ffdnet(SMALL, parameters["network"], even, sigma)[:, :9, :13], atol=1e-6)


def test_nothing_beyond_its_reach_has_a_part_in_a_pixel(parameters):
    x, sigma, reach = noise(1, 2, 60, 3), jnp.array([0.2]), SMALL.reach
    moved = ffdnet(SMALL, parameters["network"], x.at[:, :, 30 + reach + 1 :].add(1.0), sigma)
    found = ffdnet(SMALL, parameters["network"], x, sigma)
    np.testing.assert_allclose(moved[:, :, :31], found[:, :, :31], atol=1e-6)
    assert jnp.abs(moved - found).max() > 1e-4


def test_a_time_for_all_is_a_time_for_each(parameters):
    """In FFDNet's range, and above it, where the Gaussian answers."""
    x = noise(2, 6, 10, 3)
    levels = np.asarray(parameters["sigmas"])
    times = [int(np.searchsorted(levels, SMALL.highest)) + step for step in (-1, 0)]
    together = SMALL(parameters, x, jnp.array(times))
    for number, t in enumerate(times):
        np.testing.assert_allclose(SMALL(parameters, x, t)[number], together[number], atol=1e-5)
    scaled = x * np.sqrt(1 + levels[times[1]] ** 2)
    answer = gaussian(parameters["spectrum"], scaled, jnp.full(2, levels[times[1]]))
    np.testing.assert_allclose(together[1], answer[1], atol=1e-5)


def test_a_white_spectrum_shrinks_towards_its_mean():
    mean, power = jnp.array([0.1, -0.2, 0.3]), 0.25
    spectrum = {"mean": mean, "power": jnp.full(3, power), "exponent": jnp.zeros(3), "corner": jnp.ones(3)}
    x, sigma = noise(2, 6, 10, 3), jnp.array([0.5, 2.0])
    kept = (power / (power + sigma**2))[:, None, None, None]
    np.testing.assert_allclose(gaussian(spectrum, x, sigma), mean + kept * (x - mean), atol=1e-5)


def test_a_wave_of_a_colour_is_scaled_by_its_own_variance():
    h, w, row, column, colour, sigma = 6, 10, 2, 3, 1, 0.7
    spectrum = {
        "mean": jnp.zeros(3),
        "power": jnp.array([3.0, 2.0, 1.0]),
        "exponent": jnp.array([2.0, 3.0, 4.0]),
        "corner": jnp.array([0.05, 0.1, 0.2]),
    }
    waves = [np.cos(np.pi * k * (np.arange(n) + 0.5) / n) for k, n in ((row, h), (column, w))]
    wave = jnp.asarray(np.outer(*waves)[..., None] * COLOURS[colour], jnp.float32)[None].repeat(2, 0)
    frequency = np.hypot(row / (2 * h), column / (2 * w))
    variance = 2.0 / (1 + (frequency / 0.1) ** 2) ** 1.5
    denoised = gaussian(spectrum, wave, jnp.full(2, sigma))
    np.testing.assert_allclose(denoised, variance / (variance + sigma**2) * wave, atol=1e-5)


def test_the_embedded_prior_takes_noise_from_a_smooth_picture():
    """More than 6 dB of noise of 25 grey levels, at an odd size; and its spectrum falls."""
    prior = jr.sized(jr.load_prior("photos"), 31, 46)
    rows, columns = jnp.meshgrid(jnp.linspace(-1, 1, 31), jnp.linspace(-1, 1, 46), indexing="ij")
    clean = 0.5 * jnp.stack([rows, columns, rows * columns], axis=-1)
    sigma = 2 * 25 / 255
    y = clean + sigma * noise(31, 46, 3)
    image = jr.restore(jr.dpir(prior, jr.Identity(), sigma_y=sigma), y, jax.random.key(0)).image
    assert jr.metrics.psnr(image, clean) > jr.metrics.psnr(y, clean) + 6
    assert jnp.all(prior.parameters["spectrum"]["exponent"] > 1)
