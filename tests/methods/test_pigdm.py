"""PiGDM on Gaussian data, of which its draws are the posterior's where its assumption holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import SEEN, draws, gaussian_problem

import jaxrestore as jr
from jaxrestore.diffusion.schedule import TimeGrid


def sampler(problem, **settings):
    return jr.pigdm(
        problem.prior, problem.operator, sigma_y=problem.sigma_y, **{"clip": False, "spread": 0.2, **settings}
    )


@pytest.mark.parametrize("seen", SEEN)
def test_of_data_of_one_deviation_it_draws_from_the_posterior(seen):
    """Mean and covariance; what is missing of the spread is the size of the steps, and halves with it."""
    problem = gaussian_problem("alone", seen)
    spread = np.sqrt(np.trace(problem.covariance))
    missing = []
    for steps in (200, 400):
        mean, covariance = draws(sampler(problem, steps=steps), problem.y)
        assert np.linalg.norm(mean - problem.mean) < 0.07 * spread  # of the draws' mean: 0.032
        missing.append(1 - np.trace(covariance) / np.trace(problem.covariance))
    assert 0.1 < missing[0] < 0.25
    np.testing.assert_allclose(missing[1], missing[0] / 2, atol=0.04)
    assert np.linalg.norm(covariance - problem.covariance) < 0.2 * np.linalg.norm(problem.covariance)


def test_without_noise_what_was_measured_is_kept():
    problem = gaussian_problem("alone", "average", sigma=0.0)
    mean, covariance = draws(sampler(problem, steps=400), problem.y)
    np.testing.assert_allclose(problem.matrix @ mean, np.ravel(problem.y), atol=1e-3)
    assert np.trace(problem.matrix @ covariance @ problem.matrix.T) < 1e-5
    assert 0.85 < np.trace(covariance) / np.trace(problem.covariance) < 1


@pytest.mark.parametrize("seen", SEEN)
def test_what_it_takes_to_be_unknown_is_its_bias(seen):
    """Neighbours that tell of each other, or data of another deviation than was said: a mean that is off, though nearer to
    the posterior's than the prior's is."""
    for problem, spread in ((gaussian_problem("neighbours", seen), 0.2), (gaussian_problem("alone", seen), 1.0)):
        mean, _ = draws(sampler(problem, steps=200, spread=spread), problem.y)
        off = np.linalg.norm(mean - problem.mean)
        assert 0.01 < off < 0.5 * np.linalg.norm(0.1 - problem.mean)


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("t", [30, 400])
def test_its_move_is_the_posteriors(seen, t):
    """One step of DDIM by E[x0 | x_t, y], from any x_t."""
    problem = gaussian_problem("alone", seen)
    level, following = (float(problem.prior.schedule.alpha_bar[time]) for time in (t, t - 10))
    x = jnp.asarray(np.random.default_rng(2).standard_normal((4, 4, 1)), jnp.float32)
    time = TimeGrid(jnp.int32(t), jnp.float32(level), jnp.float32(following))
    moved, x0 = sampler(problem, eta=0.0).move(x, problem.y, time, jax.random.key(0))
    seeing = np.concatenate([problem.matrix, np.sqrt(level) * np.eye(16)])  # y and x_t together
    noises = np.diag([*[0.01] * len(problem.matrix), *[1 - level] * 16])
    gain = 0.04 * seeing.T @ np.linalg.inv(0.04 * seeing @ seeing.T + noises)
    told = np.concatenate([np.ravel(problem.y), np.ravel(x)])
    known = np.concatenate([np.abs(problem.matrix).sum(1) > 0, np.ones(16)])
    wanted = 0.1 + gain @ (known * (told - seeing @ np.full(16, 0.1)))
    np.testing.assert_allclose(np.ravel(x0), wanted, atol=2e-4)
    eps = (np.ravel(x) - np.sqrt(level) * wanted) / np.sqrt(1 - level)
    np.testing.assert_allclose(np.ravel(moved), np.sqrt(following) * wanted + np.sqrt(1 - following) * eps, atol=5e-4)
