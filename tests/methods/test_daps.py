"""DAPS on Gaussian data, of which its draws are the posterior's where its assumption holds, in a few steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import SEEN, draws, gaussian_problem

import jaxrestore as jr
from jaxrestore.operators import squared_norm


def sampler(problem, **settings):
    settings = {"clip": False, "spread": 0.2, "chain": 1, "steps": 20, **settings}
    return jr.daps(problem.prior, problem.operator, sigma_y=problem.sigma_y, **settings)


@pytest.mark.parametrize("seen", SEEN)
def test_of_data_of_one_deviation_it_draws_from_the_posterior(seen):
    """Mean and covariance, after 20 steps: none is bound to be small."""
    problem = gaussian_problem("alone", seen)
    mean, covariance = draws(sampler(problem), problem.y)
    spread = np.trace(problem.covariance)
    assert np.linalg.norm(mean - problem.mean) < 0.07 * spread**0.5  # of the draws' mean: 0.032
    np.testing.assert_allclose(np.trace(covariance), spread, rtol=0.07)
    assert np.linalg.norm(covariance - problem.covariance) < 0.17 * np.linalg.norm(problem.covariance)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_dynamics_have_the_bias_of_their_step(share):
    """A quadratic's variance v comes to rest at v / (1 - share / 2), where the curvature is the largest."""
    problem = gaussian_problem("alone", "mask", sigma=0.1)
    _, covariance = draws(sampler(problem, share=share), problem.y)
    known = np.ravel(problem.operator.known) > 0
    found = np.diag(covariance)[known].mean() / problem.covariance[known][:, known].diagonal().mean()
    # In each annealing step; what goes on to the next is kept by the share of x_t in the next draw, at the end nearly none.
    assert 1 < found < 1.05 / (1 - share / 2)
    assert found > 1 + share / 8


def test_what_it_takes_to_be_unknown_is_its_bias():
    """A chain of more steps, data of another deviation than was said, neighbours: draws that vary too much, never too
    little; the mean stays near."""
    for data, settings in (("alone", {"chain": 5}), ("alone", {"spread": 1.0}), ("neighbours", {})):
        problem = gaussian_problem(data, "mask")
        mean, covariance = draws(sampler(problem, **settings), problem.y)
        assert 1.3 < np.trace(covariance) / np.trace(problem.covariance) < 2.5
        assert np.linalg.norm(mean - problem.mean) < 0.4 * np.linalg.norm(0.1 - problem.mean)


def test_the_stiffest_direction_is_that_of_the_matrix():
    for seen in SEEN:
        problem = gaussian_problem("alone", seen)
        found = float(squared_norm(problem.operator, jnp.zeros((4, 4, 1)), jax.random.key(0)))
        largest = np.linalg.svd(problem.matrix)[1].max() ** 2
        assert 0.8 * largest < found < 1.001 * largest


def test_any_operator_that_has_a_derivative():
    prior = jr.gaussian_prior(jnp.full((8, 8, 3), 0.1), 0.2)
    truth = 0.1 + 0.2 * jax.random.normal(jax.random.key(5), prior.shape)
    tone = jr.Tone(jnp.float32(-1.0))
    result = jr.restore(jr.daps(prior, tone, steps=10, spread=0.2), tone(truth), jax.random.key(0))
    assert result.data_term < 4 * 0.01**2  # what it takes the noise for
    np.testing.assert_allclose(result.image, truth, atol=0.15)


def test_wrong_settings_get_a_sentence():
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    for wrong, sentence in (
        ({"share": 0.0}, "share must lie above 0 and up to 1, not 0.0"),
        ({"least_sigma": 0.0}, "least_sigma must be a number above 0, not 0.0"),
        ({"chain": 0}, "chain must be at least 1, not 0"),
        ({"dynamics": 0}, "dynamics must be at least 1, not 0"),
        ({"spread": 0.0}, "spread must be a number above 0, not 0.0"),
    ):
        with pytest.raises(jr.InputError, match=sentence):
            jr.daps(prior, jr.Identity(), **wrong)
