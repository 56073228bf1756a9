"""Every kind of prior on Gaussian data: the G of the closed form, and every method that makes sense over every kind."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.diffusion.denoisers import flow_times
from jaxrestore.diffusion.schedule import time_grid

SHAPE, KEY = (8, 8, 3), jax.random.key(0)
MEAN = jnp.linspace(-0.4, 0.5, 192).reshape(SHAPE)
STD = jnp.linspace(0.2, 0.5, 192).reshape(SHAPE)


def denoise(parameters, x, sigma):
    """E[x0 | x] of x = x0 + sigma noise, x0 of N(MEAN, STD^2)."""
    variance = sigma[:, None, None, None] ** 2
    return (STD**2 * x + variance * MEAN) / (STD**2 + variance)


def denoise_blindly(parameters, x):
    """The same, the level estimated from x: here it is the one of the test."""
    return denoise(parameters, x, jnp.full(len(x), parameters))


def velocity(parameters, x, time):
    """E[noise - x0 | x] of x = (1 - u) x0 + u noise."""
    u = time[:, None, None, None]
    gain = ((1 - u) * STD**2, u)  # covariances of x0 and of the noise with x
    rest = (x - (1 - u) * MEAN) / ((1 - u) ** 2 * STD**2 + u**2)
    return gain[1] * rest - (MEAN + gain[0] * rest)


def consistent(parameters, x, sigma):
    """The end of the probability-flow ODE that passes x at sigma."""
    return MEAN + STD * (x - MEAN) / jnp.sqrt(STD**2 + sigma[:, None, None, None] ** 2)


KINDS = {
    "noise": jr.gaussian_prior(MEAN, STD),
    "denoiser": jr.denoiser_prior(denoise, None, SHAPE, (0.002, 80.0)),
    "denoiser, log": jr.denoiser_prior(denoise, None, SHAPE, (0.002, 80.0), grid="log"),
    "flow": jr.flow_prior(velocity, None, SHAPE),
    "flow, reversed": jr.flow_prior(lambda p, x, t: -velocity(p, x, 1 - t), None, SHAPE, noise_at=0),
    "consistency, one step": jr.consistency_prior(consistent, None, SHAPE, 80.0),
    "consistency, four steps": jr.consistency_prior(consistent, None, SHAPE, (0.5, 3.0, 20.0, 80.0)),
}
FEW = [kind for kind in KINDS if kind.startswith("consistency")]
MANY = [kind for kind in KINDS if kind not in FEW]


@pytest.mark.parametrize("kind", MANY)  # a consistency function predicts the end of the path, not the mean
def test_the_noise_predicted_is_that_of_the_closed_form(kind):
    prior = KINDS[kind]
    x = jax.random.normal(KEY, (2, *SHAPE))
    t = jnp.array([len(prior.schedule) // 5, len(prior.schedule) * 3 // 5])
    alpha_bar = prior.schedule.alpha_bar[t].reshape(-1, 1, 1, 1)
    exact = jnp.sqrt(1 - alpha_bar) * (x - jnp.sqrt(alpha_bar) * MEAN) / (alpha_bar * STD**2 + 1 - alpha_bar)
    np.testing.assert_allclose(prior.predict_noise(x, t), exact, atol=2e-4)


def exact_end(prior, noise, skip):
    """The end of the probability-flow ODE from the grid's first level: the noise scaled, around the mean."""
    alpha_bar = float(time_grid(prior.schedule, skip, "linspace").alpha_bar[0])
    spread = jnp.sqrt(alpha_bar * STD**2 + 1 - alpha_bar)
    return MEAN + STD * (noise - np.sqrt(alpha_bar) * MEAN) / spread


@pytest.mark.parametrize("kind", MANY)
def test_unrolls_near_the_end_of_the_flow_by_euler_and_sooner_by_midpoints(kind):
    prior, noise = KINDS[kind], jax.random.normal(KEY, SHAPE)
    errors = {}
    for solver in ("euler", "midpoint"):
        for skip in (50, 10):
            image = jr.unroll(prior, noise, skip=skip, grid="linspace", clip=False, solver=solver)
            errors[solver, skip] = float(jnp.abs(image - exact_end(prior, noise, skip)).max())
    assert errors["euler", 10] < min(0.05, 0.5 * errors["euler", 50])
    assert errors["midpoint", 10] < 0.3 * errors["euler", 10]
    assert errors["midpoint", 10] < 0.01


@pytest.mark.parametrize("kind", FEW)
def test_a_consistency_function_is_at_the_end_in_one_step_or_four(kind):
    prior, noise = KINDS[kind], jax.random.normal(KEY, SHAPE)
    image = jr.unroll(prior, noise, skip=1, clip=False)
    wanted = MEAN + STD * (noise * np.sqrt(1 + 80.0**2) - MEAN) / jnp.sqrt(STD**2 + 80.0**2)
    # between the levels of several steps the path is followed along its chord
    assert float(jnp.abs(image - wanted).mean()) < (1e-3 if "one" in kind else 0.15)
    assert len(prior.schedule) == (1 if "one" in kind else 4)


@pytest.mark.parametrize("kind", MANY)
def test_inversion_and_its_gradient_are_those_of_every_prior(kind):
    prior, image = KINDS[kind], jnp.clip(MEAN + 0.3, -1, 1)
    noise = jr.invert(prior, image, skip=20, grid="linspace", refinements=8)
    np.testing.assert_allclose(
        jr.unroll(prior, noise, skip=20, grid="linspace", clip=False), image, atol=0.03 if "flow" in kind else 2e-3
    )
    gradient = jax.grad(lambda z: jr.unroll(prior, z, skip=100, clip=False, gradient="full").sum())(noise)
    frozen = jax.grad(lambda z: jr.unroll(prior, z, skip=100, clip=False, gradient="frozen").sum())(noise)
    assert jnp.all(jnp.isfinite(gradient))
    assert jnp.all(jnp.isfinite(frozen))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["bird", "shred", "diip", "invert2restore"])
def test_every_method_restores_with_every_kind(kind, name):
    """Half the data term of fresh noise, at least, in sixty iterations of rate 0.1."""
    prior, mask = KINDS[kind], jr.Mask(np.arange(64).reshape(8, 8) % 3 > 0)
    truth = jnp.clip(MEAN + STD * jax.random.normal(jax.random.key(9), SHAPE), -1, 1)
    operator = jr.Identity() if name == "diip" else mask
    arguments = () if name == "diip" else (operator,)
    method = getattr(jr, name)(
        prior, *arguments, noise_lr=0.1, iterations=60, gradient="frozen_v", stop=jr.never(), decay="cosine"
    )
    assert method.unroll.skip == max(1, len(prior.schedule) // 10)  # a tenth of the schedule, whatever its length
    result = jr.run(method, operator(truth), KEY)
    assert result.data_term < 0.5 * result.history[0]


@pytest.mark.parametrize("kind", MANY)
def test_fully_blind_restoration_and_regeneration_with_every_kind(kind):
    prior = KINDS[kind]
    photographs = MEAN + STD * jax.random.normal(jax.random.key(3), (16, *SHAPE))
    depths = tuple(int(jnp.argmax(flow_times(prior.schedule.alpha_bar) > u)) for u in (0.1, 0.3))
    statistics = jr.calibrate(prior, photographs, depths=depths, steps=5)
    known = dataclasses.replace(prior, statistics=statistics)
    noisy = photographs[0] + 0.5 * jax.random.normal(KEY, SHAPE)
    result = jr.run(jr.invert2restore(known), noisy, KEY)
    assert jnp.mean((result.image - photographs[0]) ** 2) < jnp.mean((noisy - photographs[0]) ** 2)
    drawn = jr.run(jr.gen2res(prior, depth=depths[1], steps=10), noisy, KEY)
    assert jnp.all(jnp.isfinite(drawn.image))


def test_a_denoiser_of_a_short_range_restores_blindly_and_generates_nothing():
    prior = jr.denoiser_prior(denoise, None, SHAPE, (0.01, 0.6), name="weak")
    with pytest.raises(
        jr.InputError, match=r"'weak' knows noise up to a deviation of 0.6 alone.*invert2restore\(prior\)"
    ):
        jr.bird(prior, jr.Identity())
    blind = jr.denoiser_prior(denoise_blindly, jnp.float32(0.3), SHAPE, (0.01, 0.6), blind=True)
    level = int(jnp.argmin(jnp.abs(1 / blind.schedule.alpha_bar - 1 - 0.09)))
    x = jax.random.normal(KEY, SHAPE)
    np.testing.assert_allclose(blind.predict_noise(x, level), prior.predict_noise(x, level), rtol=3e-3)


def test_ranges_and_levels_that_cannot_be_meant():
    for low, high in ((0.0, 1.0), (2.0, 1.0), (1.0, float("inf"))):
        with pytest.raises(jr.InputError, match="sigma_range must rise"):
            jr.denoiser_prior(denoise, None, SHAPE, (low, high))
    with pytest.raises(jr.InputError, match=r"within the range 0\.1 to 1\.0 that the denoiser was trained for"):
        jr.denoiser_prior(denoise, None, SHAPE, (0.1, 1.0), grid=[0.1, 2.0])


def test_karras_levels_are_the_papers():
    """Equation 5 of Karras et al. 2022, with its sigma_min, sigma_max and rho, eighteen steps."""
    steps = np.arange(18)
    wanted = (80 ** (1 / 7) + steps / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    np.testing.assert_allclose(jr.diffusion.sigma_levels(0.002, 80.0, 18)[::-1], wanted, rtol=1e-12)
