"""DDNM on Gaussian data: the posterior without fresh noise, and by how much fresh noise and a noisy y lead away from it."""

import numpy as np
import pytest
from closed_forms import DRAWS, FIVE, draws, gaussian_problem

import jaxrestore as jr


def sampler(problem, **settings):
    return jr.ddnm(problem.prior, problem.operator, sigma_y=problem.sigma_y, **{"clip": False, **settings})


@pytest.mark.parametrize("seen", ["mask", "average"])
def test_without_noise_and_fresh_noise_it_draws_from_the_posterior(seen):
    """Of data alike in every direction, up to the size of the steps; and what was measured is kept exactly."""
    problem = gaussian_problem("alone", seen, sigma=0.0)
    mean, covariance = draws(sampler(problem, eta=0.0, steps=800), problem.y)
    np.testing.assert_allclose(mean, problem.mean, atol=5 * 0.2 / DRAWS**0.5)
    np.testing.assert_allclose(problem.matrix @ mean, np.ravel(problem.y), atol=1e-5)
    assert np.linalg.norm(covariance - problem.covariance) < 0.15 * np.linalg.norm(problem.covariance)


def recursion(problem, eta, sigma):
    """(mean ``[n]``, covariance ``[n, n]``) of the end in closed form: every move is affine in x and in fresh noise."""
    inverse = np.linalg.pinv(problem.matrix)
    sees, gain = inverse @ problem.matrix, 1 / np.linalg.svd(problem.matrix)[1].max()
    said, identity = inverse @ np.ravel(problem.y), np.eye(16)
    mean, covariance = np.zeros(16), np.eye(16)
    times = sampler(problem, eta=eta, steps=100).times
    for level, following in zip(*(np.asarray(part, np.float64) for part in times[1:]), strict=True):
        taken = np.sqrt(1 - level) / (0.04 * level + 1 - level)  # of x - sqrt(ab) m for noise
        slope = (1 - np.sqrt(1 - level) * taken) / np.sqrt(level)  # of x0 in x
        signal, noise = np.sqrt(following), np.sqrt(1 - following)
        brought, wanted = signal * sigma * gain, eta * noise
        share = 1.0 if brought <= wanted else wanted / brought
        added = np.sqrt(wanted**2 - (share * brought) ** 2)
        centred = mean - np.sqrt(level) * 0.1
        x0 = 0.1 + slope * centred
        mean = signal * (x0 + share * (said - sees @ x0)) + noise * np.sqrt(1 - eta**2) * taken * centred
        factor = signal * slope * (identity - share * sees) + noise * np.sqrt(1 - eta**2) * taken * identity
        fresh = wanted * identity - (wanted - added) * sees
        covariance = factor @ covariance @ factor.T + fresh @ fresh.T
    return mean, covariance


@pytest.mark.parametrize("seen", ["mask", "average"])
@pytest.mark.parametrize(("eta", "sigma"), [(0.85, 0.0), (0.85, 0.1), (0.5, 0.1)])
def test_its_bias_is_that_of_its_recursion(eta, sigma, seen):
    problem = gaussian_problem("alone", seen, sigma=sigma)
    mean, covariance = draws(sampler(problem, eta=eta, steps=100), problem.y)
    wanted, spread = recursion(problem, eta, sigma)
    np.testing.assert_allclose(mean, wanted, atol=5 * np.sqrt(spread.max() / DRAWS))
    np.testing.assert_allclose(np.diag(covariance), np.diag(spread), rtol=FIVE, atol=1e-6)
    hidden = np.eye(16) - np.linalg.pinv(problem.matrix) @ problem.matrix
    left = np.trace(hidden @ spread) / np.trace(hidden @ problem.covariance)
    assert 0.5 < left < (0.85 if eta == 0.5 else 0.7)  # of the posterior's variance where nothing was measured
    if sigma:  # where something was it is sure of itself, and beside the posterior's mean
        assert np.trace(problem.matrix @ spread @ problem.matrix.T) < 0.1 * np.trace(
            problem.matrix @ problem.covariance @ problem.matrix.T
        )
        assert np.linalg.norm(problem.matrix @ (wanted - problem.mean)) > 0.02


def test_neighbours_are_told_of_what_was_measured():
    """The prior decides the null space from all of x_t: nearer to the posterior's mean than without neighbours."""
    problem = gaussian_problem("neighbours", "mask", sigma=0.0)
    mean, _ = draws(sampler(problem, eta=0.0, steps=400), problem.y)
    hidden = np.ravel(problem.operator.known) == 0
    off, prior = (np.abs(each - problem.mean)[hidden].max() for each in (mean, 0.1))
    assert off < 0.25 * prior


def test_a_noisy_measurement_is_not_reproduced():
    """Told of the noise, it ends between y and the prior; told of none, at y."""
    problem = gaussian_problem("alone", "average", sigma=0.2)
    y = np.ravel(problem.y)
    aware, _ = draws(sampler(problem), problem.y)
    unaware, _ = draws(jr.ddnm(problem.prior, problem.operator, clip=False), problem.y)
    np.testing.assert_allclose(problem.matrix @ unaware, y, atol=1e-5)
    truth = problem.matrix @ problem.mean
    assert np.linalg.norm(problem.matrix @ aware - truth) < 0.8 * np.linalg.norm(y - truth)
