"""DMPlug and naive inversion: settings of a search that is there, and what they come to on Gaussian data."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from closed_forms import draws, gaussian_problem

import jaxrestore as jr


def test_their_unrolls_have_three_steps_and_all_by_the_exact_derivative(gaussian):
    mask, short = jr.Mask(jr.box_mask((8, 8), 3)), dataclasses.replace(gaussian, schedule=jr.schedule.linear(300))
    plug = jr.shred(gaussian, mask, settings=jr.published("dmplug"))
    naive = jr.shred(gaussian, mask, settings=jr.published("naive-inversion"))
    assert (plug.evaluations, naive.evaluations) == (6, 2000)
    assert jr.shred(short, mask, settings=jr.settings_for("dmplug", "inpaint", short)).evaluations == 6
    assert (plug.iterations, plug.unroll.gradient, plug.unroll.clip, plug.loss) == (5000, "full", True, "mean_square")
    blind = jr.published("dmplug", "blind-motion-deblur")
    assert (blind.iterations, blind.operator_lr, blind.kernel) == (10_000, 0.1, "softmax")


def test_what_they_reach_is_y_with_its_noise_and_beside_it_the_priors_draws():
    """Pixels that know nothing of each other: those that were measured end at y, no posterior mean, and with no spread; the
    others stay where the first noise put them, as three steps of DDIM have it."""
    problem = gaussian_problem("alone", "mask", 0.1)
    few = {"iterations": 200, "noise_lr": 0.3, "decay": "cosine", "clip": False}
    method = jr.shred(problem.prior, problem.operator, settings=jr.published("dmplug"), **few)
    mean, covariance = draws(method, problem.y, 500)
    known = np.ravel(problem.y) != 0
    np.testing.assert_allclose(mean[known], np.ravel(problem.y)[known], atol=2e-3)
    assert np.linalg.norm(np.ravel(problem.y)[known] - problem.mean[known]) > 0.05
    assert np.diag(covariance)[known].max() < 1e-4
    spread = method.generate(jnp.ones((4, 4, 1))) - method.generate(jnp.zeros((4, 4, 1)))
    np.testing.assert_allclose(np.diag(covariance)[~known], spread[0, 0, 0] ** 2, rtol=0.32)  # 5 deviations


def test_naive_inversion_lowers_the_data_term_through_all_steps(gaussian):
    few = dataclasses.replace(gaussian, schedule=jr.schedule.linear(20, 1e-3, 0.6))
    mask = jr.Mask(np.arange(64).reshape(8, 8) % 3 > 0)
    method = jr.shred(few, mask, settings=jr.published("naive-inversion"), iterations=5, noise_lr=0.1)
    assert method.evaluations == 40
    result = jax.jit(jr.run)(method, mask(jnp.full((8, 8, 3), 0.1)), jax.random.key(0))
    assert result.data_term < result.history[0]
