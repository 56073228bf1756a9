"""DPS on Gaussian data: each of its moves in closed form, and how far from the posterior they lead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import DRAWS, FIVE, SEEN, draws, gaussian_problem

import jaxrestore as jr
from jaxrestore.diffusion.ancestral import predict


def sampler(problem, **settings):
    return jr.dps(problem.prior, problem.operator, sigma_y=problem.sigma_y, **{"clip": False, **settings})


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("t", [30, 400])
def test_its_move_is_an_ancestral_step_and_the_gradient_of_a_norm(seen, t):
    problem = gaussian_problem("neighbours", seen)
    prior, matrix = problem.prior, problem.matrix
    x = jnp.asarray(np.random.default_rng(2).standard_normal((4, 4, 1)), jnp.float32)
    method = sampler(problem, scale=0.4)
    time = jax.tree.map(lambda leaf: leaf[999 - t], method.times)
    assert int(time.t) == t
    moved, x0 = method.move(x, problem.y, time, jax.random.key(3))
    ancestral = predict(prior, x[None], time.t, "fixed_small", clip=False)
    np.testing.assert_allclose(x0, ancestral.x0[0], atol=1e-4)
    fresh = jax.random.normal(jax.random.key(3), x.shape)
    step = ancestral.mean[0] + jnp.exp(ancestral.log_variance[0] / 2) * fresh
    level = float(prior.schedule.alpha_bar[t])
    variances, basis = (np.asarray(prior.parameters[name], np.float64) for name in ("variances", "basis"))
    slope = basis @ np.diag(np.sqrt(level) * variances / (level * variances + 1 - level)) @ basis.T  # of x0 in x_t
    residual = np.ravel(problem.y) - matrix @ np.ravel(x0)
    pull = -slope @ matrix.T @ residual / np.linalg.norm(residual)
    np.testing.assert_allclose(np.ravel(moved), np.ravel(step) - 0.4 * pull, atol=5e-4)


def test_without_a_pull_it_draws_from_the_prior():
    problem = gaussian_problem("neighbours", "mask")
    mean, covariance = draws(sampler(problem, scale=0.0, steps=300), problem.y)
    np.testing.assert_allclose(mean, 0.1, atol=5 * 0.2 / DRAWS**0.5)
    np.testing.assert_allclose(np.diag(covariance), 0.04, rtol=FIVE)


@pytest.mark.parametrize("data", ["alone", "neighbours"])
@pytest.mark.parametrize("seen", ["mask", "average"])
def test_it_explains_what_was_measured_whatever_its_noise(data, seen):
    """Its bias: at y where the posterior's mean lies between y and the prior; the same for any sigma_y."""
    problem = gaussian_problem(data, seen, sigma=0.2)
    mean, _ = draws(sampler(problem, scale=0.1), problem.y, 500)
    y, truth = np.ravel(problem.y), problem.matrix @ problem.mean
    assert np.linalg.norm(problem.matrix @ mean - y) < 0.5 * np.linalg.norm(truth - y)
    other, _ = draws(jr.dps(problem.prior, problem.operator, scale=0.1, clip=False), problem.y, 500)
    np.testing.assert_array_equal(mean, other)


def test_any_operator_that_has_a_derivative():
    """One that no linear method takes."""
    prior = jr.gaussian_prior(jnp.full((8, 8, 3), 0.1), 0.2)
    truth = 0.1 + 0.2 * jax.random.normal(jax.random.key(5), prior.shape)
    tone = jr.Tone(jnp.float32(-1.0))
    y = tone(truth)
    result = jr.restore(jr.dps(prior, tone, steps=200, scale=1.0), y, jax.random.key(0))
    assert result.data_term < 0.5 * np.mean((tone(jnp.full(prior.shape, 0.1)) - y) ** 2)
    with pytest.raises(jr.InputError, match="pigdm needs a linear operator, and this Tone is none: take dps"):
        jr.pigdm(prior, tone)


def test_settings_come_from_the_kind_of_problem():
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    mask = jr.Mask(jr.box_mask((8, 8), 3))
    np.testing.assert_allclose([jr.dps(prior, operator).scale for operator in (mask, jr.AveragePool(2))], [0.5, 0.3])
    assert jr.dps(prior, mask, kind="any", steps=7).iterations == 7
    short = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2, jr.schedule.linear(300, 1e-4, 0.06))
    assert jr.dps(short, mask).iterations == 300
    with pytest.raises(jr.InputError, match="scale must be a number from 0 on, not -1"):
        jr.dps(prior, mask, scale=-1.0)
