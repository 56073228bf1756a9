"""What a search's steps on an operator find behind noise, against the maximum likelihood of Gaussian data."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import jaxrestore as jr

SHAPE, SIZE, SPREAD, SIGMA_Y = (24, 24, 3), 9, 0.3, 0.1


def blur(log_width):
    width = float(np.exp(log_width))
    return jr.Blur(jr.GaussianKernel(SIZE, (1.0001 * width, width), 0.0, unknown=("log_sigmas",)), "circular")


def likeliest(y):
    """The log width of greatest likelihood, the image integrated out: y's spectrum is N(0, SPREAD^2 |h|^2 + SIGMA_Y^2)."""
    power = np.abs(np.fft.fft2(y, axes=(0, 1))) ** 2 / (SHAPE[0] * SHAPE[1])

    def cost(log_width):
        response = np.abs(np.fft.fft2(np.asarray(blur(log_width).kernel()), SHAPE[:2])) ** 2
        variance = (SPREAD**2 * response + SIGMA_Y**2)[..., None]
        return np.mean(np.log(variance) + power / variance)

    return minimize_scalar(cost, bounds=(-1.5, 1.2), method="bounded").x


@pytest.fixture(scope="module")
def search():
    """By BIRD, of the log width of a Gaussian kernel."""
    prior = jr.gaussian_prior(jnp.zeros(SHAPE), SPREAD)
    steps = {"operator_every": 3, "operator_from": 0.3, "damping": 1e-5}
    method = jr.bird(prior, blur(0.0), iterations=60, skip=200, noise_lr=0.1, gradient="full", clip=False, **steps)
    run = jax.jit(jr.run)

    def found(start, y, sigma_y):
        one = dataclasses.replace(method, operator=blur(start), sigma_y=jnp.float32(sigma_y), decay="cosine")
        return float(np.mean(run(one, y, jax.random.key(7)).operator.kernel.log_sigmas))

    return found


@pytest.mark.parametrize(("true", "start"), [(0.18, -0.22), (-0.22, 0.18)], ids=["from too narrow", "from too wide"])
def test_noise_that_is_told_is_not_explained_by_a_narrow_kernel(search, true, start):
    draw = np.random.default_rng(0)
    image = jnp.asarray(SPREAD * draw.standard_normal(SHAPE, np.float32))
    y = blur(true)(image) + SIGMA_Y * draw.standard_normal(SHAPE, np.float32)
    likely = likeliest(y)
    assert abs(likely - true) < 0.15
    assert search(start, y, 0.0) < likely - 1
    assert abs(search(start, y, SIGMA_Y) - likely) < 0.45
