"""PnP-Flow and FlowDPS on Gaussian data: their recursions in closed form, on flows and others, and where the posterior is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import COVARIANCES, DRAWS, FIVE, MEAN, draws, gaussian_problem

import jaxrestore as jr
from jaxrestore.diffusion.denoisers import flow_times
from jaxrestore.methods.flows import flow_grid, towards

IDENTITY = np.eye(16)
MAKE = {"pnp-flow": jr.pnp_flow, "flowdps": jr.flowdps}


def velocity(parameters, x, time):
    """E[noise - x0 | x] of x = (1 - u) x0 + u noise, x0 of deviation 0.2 about 0.1."""
    u = time[:, None, None, None]
    rest = (x - (1 - u) * 0.1) / ((1 - u) ** 2 * 0.04 + u**2)
    return u * rest - (0.1 + (1 - u) * 0.04 * rest)


FLOW = jr.flow_prior(velocity, None, (4, 4, 1))


def sampler(name, problem, **settings):
    return MAKE[name](problem.prior, problem.operator, sigma_y=problem.sigma_y, **{"clip": False, **settings})


def recursion(name, problem, data):
    """(mean ``[n]``, covariance ``[n, n]``) of the end: every move is affine in x and in fresh noise."""
    method, curvature = sampler(name, problem), problem.matrix.T @ problem.matrix
    curvature, said = (
        part / np.linalg.norm(curvature, 2) for part in (curvature, problem.matrix.T @ np.ravel(problem.y))
    )
    starts = name == "flowdps"
    mean, covariance = np.zeros(16), starts * IDENTITY
    shares = np.append(np.asarray(flow_times(method.times.alpha_bar), np.float64), 0)
    levels, followings = (np.asarray(part, np.float64) for part in method.times[1:])
    for i, (level, following) in enumerate(zip(levels, followings, strict=True)):
        signal, noise = np.sqrt(level), np.sqrt(1 - level)
        slope = signal * COVARIANCES[data] @ np.linalg.inv(level * COVARIANCES[data] + noise**2 * IDENTITY)
        u, then = shares[i], shares[i + 1]
        if name == "pnp-flow":
            size = float(method.share) * u ** float(method.alpha)
            factor, shift = IDENTITY - size * curvature, size * said
            mean = MEAN + signal * slope @ (factor @ mean + shift - MEAN)
            factor, fresh = signal * slope @ factor, noise * slope / np.sqrt(method.draws)
        else:
            pull = np.linalg.matrix_power(IDENTITY - curvature, 3)
            moved = (1 - u) * IDENTITY + u * pull
            shift = u * sum(np.linalg.matrix_power(IDENTITY - curvature, k) for k in range(3)) @ said
            constant, of_noise = MEAN - signal * slope @ MEAN, np.sqrt(1 - following) * np.sqrt(then)
            factor = np.sqrt(following) * moved @ slope + of_noise * (IDENTITY - signal * slope) / noise
            mean = (
                factor @ mean + np.sqrt(following) * (moved @ constant + shift) - of_noise * signal / noise * constant
            )
            fresh = np.sqrt(1 - following) * np.sqrt(1 - then) * IDENTITY
        covariance = factor @ covariance @ factor.T + fresh @ fresh.T
    return mean, covariance


@pytest.mark.parametrize(
    ("name", "data", "seen", "prior"), [("flowdps", "neighbours", "blur", None), ("pnp-flow", "alone", "mask", FLOW)]
)
def test_their_draws_are_those_of_their_recursion(name, data, seen, prior):
    problem = gaussian_problem(data, seen, 0.1)
    problem = problem if prior is None else problem._replace(prior=prior)
    mean, covariance = draws(sampler(name, problem), problem.y)
    wanted, spread = recursion(name, problem, data)
    np.testing.assert_allclose(mean, wanted, atol=5 * np.sqrt(spread.max() / DRAWS) + 1e-4)
    np.testing.assert_allclose(np.diag(covariance), np.diag(spread), rtol=FIVE)


@pytest.mark.parametrize("seen", ["mask", "average"])
def test_pnp_flow_looks_for_one_image(seen):
    """Its draws hardly vary; of exact y its mean is near the posterior's; and y's noise has no part in it."""
    exact, noisy = (gaussian_problem("neighbours", seen, sigma) for sigma in (0.0, 0.1))
    mean, covariance = recursion("pnp-flow", exact, "neighbours")
    assert np.trace(covariance) < 0.2 * np.trace(exact.covariance)
    assert np.linalg.norm(mean - exact.mean) < 0.4 * np.linalg.norm(MEAN - exact.mean)
    np.testing.assert_array_equal(covariance, recursion("pnp-flow", noisy, "neighbours")[1])


@pytest.mark.parametrize("seen", ["mask", "average"])
def test_flowdps_does_not_reach_an_exact_y_and_varies_there(seen):
    """As the prior alone has the last steps; its mean is nearer to the posterior's than the prior's is."""
    problem = gaussian_problem("neighbours", seen, 0.0)
    mean, covariance = recursion("flowdps", problem, "neighbours")
    assert np.linalg.norm(mean - problem.mean) < 0.7 * np.linalg.norm(MEAN - problem.mean)
    misfit = np.linalg.norm(problem.matrix @ mean - np.ravel(problem.y))
    assert 0.1 < misfit / np.linalg.norm(problem.matrix @ MEAN - np.ravel(problem.y)) < 0.7
    sees = np.linalg.pinv(problem.matrix) @ problem.matrix
    assert np.trace(sees @ covariance) > 0.05


def test_times_are_even_on_the_straight_path():
    for schedule in (jr.schedule.flow(), jr.schedule.linear(), jr.schedule.cosine()):
        times = flow_grid(schedule, 10)
        np.testing.assert_allclose(flow_times(times.alpha_bar), 1 - np.arange(10) / 10, atol=0.012)
        assert times.alpha_bar_next[-1] == 1
        assert np.all(np.diff(times.t) < 0)


def test_no_step_on_the_data_is_too_long():
    """Whatever an operator multiplies by: a step is the one without it."""
    problem, image = gaussian_problem("alone", "mask", 0.0), jnp.zeros((4, 4, 1))
    key = jax.random.key(0)
    once = towards(problem.operator, image, problem.y, 1.0, key)
    louder = towards(lambda image: 5 * problem.operator(image), image, 5 * problem.y, 1.0, key)
    np.testing.assert_allclose(once, problem.y, atol=1e-6)
    np.testing.assert_allclose(louder, problem.y, atol=1e-6)
