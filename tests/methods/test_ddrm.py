"""DDRM on Gaussian data: its recursion in closed form, singular direction by direction, and where the posterior is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import COVARIANCES, DRAWS, FIVE, MEAN, SEEN, draws, gaussian_problem, matrix_of

import jaxrestore as jr

IDENTITY = np.eye(16)


def sampler(problem, **settings):
    return jr.ddrm(problem.prior, problem.operator, sigma_y=problem.sigma_y, **{"clip": False, **settings})


def recursion(problem, data, sigma, eta=0.85, eta_b=1.0, steps=20):
    """(mean ``[n]``, covariance ``[n, n]``) of the end: every move is affine in x and in fresh noise."""
    left, values, right = np.linalg.svd(problem.matrix)
    values = np.pad(values, (0, 16 - len(values)))
    seen = values > 1e-6
    inverse = np.where(seen, 1 / np.where(seen, values, 1), 0)
    said = inverse * np.pad(left.T @ np.ravel(problem.y), (0, 16 - len(left)))
    noise = np.where(seen, inverse * sigma, np.inf)
    _, levels, followings = (np.asarray(part, np.float64) for part in sampler(problem, steps=steps).times)
    start = np.sqrt(1 / levels[0] - 1)
    mean = np.sqrt(levels[0]) * right.T @ np.where(noise <= start, said, 0)
    spread = start**2 - np.where(noise <= start, noise, 0) ** 2
    covariance = levels[0] * right.T * spread @ right
    for level, following in zip(levels, followings, strict=True):
        slope = np.sqrt(level) * COVARIANCES[data] @ np.linalg.inv(level * COVARIANCES[data] + (1 - level) * IDENTITY)
        now, then = (np.sqrt(1 / each - 1) for each in (level, following))
        kept, loud = np.sqrt(1 - eta**2) * then, seen & (noise <= then)
        quiet = seen & ~loud
        of_y = np.where(loud, eta_b, np.where(quiet, kept / np.where(quiet, noise, 1), 0))
        of_x = np.where(seen, 0, kept / now)
        of_x0 = 1 - of_y - of_x
        fresh = np.where(loud, then**2 - eta_b**2 * np.where(loud, noise, 0) ** 2, (eta * then) ** 2)
        factor = of_x0[:, None] * (right @ slope) + of_x[:, None] * right / np.sqrt(level)
        shift = of_x0 * (right @ (MEAN - np.sqrt(level) * slope @ MEAN)) + of_y * said
        mean = np.sqrt(following) * right.T @ (factor @ mean + shift)
        covariance = following * right.T @ (factor @ covariance @ factor.T + np.diag(fresh)) @ right
    return mean, covariance


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize(
    ("data", "sigma", "shares"), [("neighbours", 0.1, {}), ("neighbours", 0.0, {}), ("alone", 0.1, {"eta_b": 0.6})]
)
def test_its_draws_are_those_of_its_recursion(data, seen, sigma, shares):
    problem = gaussian_problem(data, seen, sigma)
    if seen == "average":  # by its matrix: a chain has no closed form
        problem = problem._replace(operator=jr.Compose((problem.operator,)))
    mean, covariance = draws(sampler(problem, **shares), problem.y)
    wanted, spread = recursion(problem, data, sigma, **shares)
    np.testing.assert_allclose(mean, wanted, atol=5 * np.sqrt(spread.max() / DRAWS) + 1e-5)
    np.testing.assert_allclose(np.diag(covariance), np.diag(spread), rtol=FIVE, atol=1e-6)


@pytest.mark.parametrize("seen", SEEN)
def test_its_bias_is_certainty(seen):
    """Draws vary less than the posterior, where nothing was measured about half as much; what was measured without noise is
    exact; and the mean is between the prior's and the posterior's, beside it."""
    sees = np.linalg.pinv(gaussian_problem("neighbours", seen).matrix) @ gaussian_problem("neighbours", seen).matrix
    for sigma in (0.0, 0.1):
        problem = gaussian_problem("neighbours", seen, sigma)
        mean, covariance = recursion(problem, "neighbours", sigma)
        assert np.trace(covariance) < 0.75 * np.trace(problem.covariance) + 1e-12
        off = np.linalg.norm(mean - problem.mean)
        assert off < 0.5 * np.linalg.norm(MEAN - problem.mean)
        if sigma:
            assert off > 0.05
            assert np.trace(sees @ covariance) < 0.75 * np.trace(sees @ problem.covariance)
        else:
            np.testing.assert_allclose(problem.matrix @ mean, np.ravel(problem.y), atol=1e-5)
            assert np.trace(problem.matrix @ covariance @ problem.matrix.T) < 1e-9
        if seen != "blur":
            hidden = IDENTITY - sees
            assert 0.25 < np.trace(hidden @ covariance) / np.trace(hidden @ problem.covariance) < 0.65


def test_without_noise_and_fresh_noise_it_draws_from_the_posterior():
    """Of data alike in every direction, up to the size of the steps."""
    problem = gaussian_problem("alone", "average", 0.0)
    mean, covariance = recursion(problem, "alone", 0.0, eta=0.0, steps=800)
    np.testing.assert_allclose(mean, problem.mean, atol=0.003)
    assert np.linalg.norm(covariance - problem.covariance) < 0.03 * np.linalg.norm(problem.covariance)


def test_what_has_too_large_a_matrix_is_said():
    prior, blur = jr.gaussian_prior(jnp.zeros((64, 64, 3)), 0.2), jr.Blur(jr.GaussianKernel(3), "zero")
    with pytest.raises(jr.InputError, match=r"too large for one .* ddrm can't do without: take pigdm or diffpir\.$"):
        jr.ddrm(prior, blur)


def test_frequencies_that_a_blur_deletes_count_as_not_measured():
    prior, blur = jr.gaussian_prior(jnp.zeros((6, 6, 1)), 0.2), jr.Blur(jnp.full((3, 3), 1 / 9), "circular")
    method, truth = jr.ddrm(prior, blur), jax.random.normal(jax.random.key(1), prior.shape)
    said, _, measured = method.told(blur(truth))
    singular = np.linalg.svd(matrix_of(blur, prior.shape))[1]
    assert int(measured.sum()) == (singular > 1e-4).sum() < 36
    np.testing.assert_allclose(said, jnp.where(measured, method.svd.vt(truth), 0), atol=1e-3)
