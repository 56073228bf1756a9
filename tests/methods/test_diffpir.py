"""DiffPIR on Gaussian data: its moves in closed form, and how far from the posterior they lead."""

import numpy as np
import pytest
from closed_forms import COVARIANCES, DRAWS, FIVE, draws, gaussian_problem

import jaxrestore as jr


def sampler(problem, **settings):
    return jr.diffpir(problem.prior, problem.operator, sigma_y=problem.sigma_y, **{"clip": False, **settings})


def recursion(problem, covariance, sigma, zeta, steps, strength=1.0):
    """(mean ``[n]``, covariance ``[n, n]``) of the end in closed form: every move is affine in x and in fresh noise."""
    matrix, y = problem.matrix, np.ravel(problem.y)
    mean, spread, identity = np.zeros(16), np.eye(16), np.eye(16)
    times = sampler(problem, steps=steps).times
    for level, following in zip(*(np.asarray(part, np.float64) for part in times[1:]), strict=True):
        slope = np.sqrt(level) * covariance @ np.linalg.inv(level * covariance + (1 - level) * identity)
        rho = strength * sigma**2 * level / (1 - level)
        gain = matrix.T @ np.linalg.pinv(matrix @ matrix.T + rho * np.eye(len(matrix)), rcond=1e-9)
        step, kept = identity - gain @ matrix, np.sqrt((1 - zeta) * (1 - following) / (1 - level))
        x0 = step @ (0.1 + slope @ (mean - np.sqrt(level) * 0.1)) + gain @ y
        mean = np.sqrt(following) * x0 + kept * (mean - np.sqrt(level) * x0)
        factor = (np.sqrt(following) - kept * np.sqrt(level)) * step @ slope + kept * identity
        spread = factor @ spread @ factor.T + zeta * (1 - following) * identity
    return mean, spread


@pytest.mark.parametrize("data", COVARIANCES)
@pytest.mark.parametrize("seen", ["mask", "average"])
@pytest.mark.parametrize("zeta", [0.0, 0.3, 1.0])
def test_its_bias_is_that_of_its_recursion(data, seen, zeta):
    problem, covariance = gaussian_problem(data, seen), COVARIANCES[data]
    wanted, spread = recursion(problem, covariance, 0.1, zeta, 100)
    mean, found = draws(sampler(problem, zeta=zeta, steps=100), problem.y)
    np.testing.assert_allclose(mean, wanted, atol=5 * np.sqrt(np.diag(spread).max() / DRAWS))
    np.testing.assert_allclose(np.diag(found), np.diag(spread), rtol=FIVE)
    left = np.trace(spread) / np.trace(problem.covariance)
    low, high = {0.0: (0.7, 1.0), 0.3: (0.65, 0.85), 1.0: (0.35, 0.45)}[zeta]
    assert low < left < high  # of the posterior's spread: the less, the more noise is fresh
    off = np.linalg.norm(wanted - problem.mean) / np.linalg.norm(0.1 - problem.mean)
    assert off < 0.5  # of the way from the prior's mean


def test_without_noise_and_fresh_noise_it_draws_from_the_posterior():
    """Of data alike in every direction, up to the size of the steps."""
    problem = gaussian_problem("alone", "average", sigma=0.0)
    mean, covariance = draws(sampler(problem, zeta=0.0, steps=400), problem.y)
    np.testing.assert_allclose(mean, problem.mean, atol=5 * 0.2 / DRAWS**0.5)
    assert np.linalg.norm(covariance - problem.covariance) < 0.2 * np.linalg.norm(problem.covariance)


def test_a_blur_is_inverted_as_far_as_its_noise_allows():
    """By conjugate gradients: nearer to the posterior's mean than the prior is, and than y's own inverse."""
    problem = gaussian_problem("neighbours", "blur")
    mean, _ = draws(sampler(problem, zeta=1.0, steps=50), problem.y, 300)
    off = np.linalg.norm(mean - problem.mean)
    assert off < 0.5 * np.linalg.norm(0.1 - problem.mean)
    assert off < 0.2 * np.linalg.norm(np.linalg.pinv(problem.matrix) @ np.ravel(problem.y) - problem.mean)


def test_who_believes_the_prior_more_is_nearer_to_it():
    problem = gaussian_problem("alone", "mask")
    near, far = (draws(sampler(problem, strength=strength), problem.y, 300)[0] for strength in (30.0, 0.1))
    known = np.ravel(problem.operator.known) > 0
    assert np.linalg.norm((near - 0.1)[known]) < 0.5 * np.linalg.norm((far - 0.1)[known])
