"""RePaint on Gaussian data: exact where pixels know nothing of each other; where they do, nearer to it each time round."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import DRAWS, draws, gaussian_problem

import jaxrestore as jr
from jaxrestore.methods._repaint import walk_order


def sampler(problem, **settings):
    return jr.repaint(problem.prior, problem.operator, **{"clip": False, **settings})


def test_pixels_that_know_nothing_of_each_other_are_drawn_from_the_prior():
    """The posterior, up to the size of the steps, which halves; known pixels are as they were measured."""
    problem, missing = gaussian_problem("alone", "mask", sigma=0.0), []
    for steps in (200, 400):
        mean, covariance = draws(sampler(problem, steps=steps, repeats=1), problem.y)
        np.testing.assert_allclose(mean, problem.mean, atol=5 * 0.2 / DRAWS**0.5)
        np.testing.assert_allclose(problem.matrix @ mean, np.ravel(problem.y), atol=1e-6)
        missing.append(1 - np.trace(covariance) / np.trace(problem.covariance))
    assert 0.1 < missing[0] < 0.25
    np.testing.assert_allclose(missing[1], missing[0] / 2, atol=0.05)


def test_neighbours_are_met_more_closely_the_more_often_the_walk_is_repeated():
    problem = gaussian_problem("neighbours", "mask", sigma=0.0)
    off = [
        np.linalg.norm(draws(sampler(problem, steps=100, jump=2, repeats=repeats), problem.y, 1000)[0] - problem.mean)
        for repeats in (1, 8)
    ]
    prior = np.linalg.norm((0.1 - problem.mean)[np.ravel(problem.operator.known) == 0])
    assert off[0] < 0.6 * prior
    assert off[1] < 0.7 * off[0]


@pytest.mark.parametrize(("steps", "jump", "repeats"), [(250, 10, 10), (20, 3, 4), (5, 10, 3), (7, 2, 1)])
def test_the_walk_takes_every_step_and_goes_up_by_its_jump_alone(steps, jump, repeats):
    order = walk_order(steps, jump, repeats)
    assert {*np.diff(order)} <= {1, 1 - jump}
    assert (order[0], order[-1]) == (0, steps - 1)
    assert np.bincount(order).min() >= 1
    assert len(order) == steps + jump * (repeats - 1) * len(range(1, steps - jump + 1, jump))


def test_a_way_up_has_the_noise_of_the_time_it_reaches():
    """Of data without spread x_t stays N(sqrt(ab) m, 1 - ab) on every way, up or down."""
    prior = jr.gaussian_prior(jnp.full((32, 32, 1), 0.3), 0.0)
    method = jr.repaint(prior, jr.Mask(jr.box_mask((32, 32), 30)), steps=12, jump=3, repeats=2)
    y = method.operator(jnp.full((32, 32, 1), 0.3))
    state = method.init(y, jax.random.key(0))
    for following in np.asarray(method.times.alpha_bar_next):
        state, iterate = method.step(state, y)
        np.testing.assert_allclose(state.x.mean(), following**0.5 * 0.3, atol=0.15)
        np.testing.assert_allclose(state.x.std(), (1 - following) ** 0.5, rtol=0.1, atol=1e-6)
        np.testing.assert_allclose(iterate.image, 0.3, atol=2e-3)


def test_what_is_no_mask_gets_a_sentence():
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    for operator in (jr.AveragePool(2), jr.Grayscale(), jr.Blur(np.full((3, 3), 1 / 9))):
        with pytest.raises(jr.InputError, match=rf"repaint needs a mask, and this {type(operator).__name__} is none"):
            jr.repaint(prior, operator)
    with pytest.raises(jr.InputError, match="repeats must be at least 1, not 0"):
        jr.repaint(prior, jr.Mask(jr.box_mask((8, 8), 3)), repeats=0)
