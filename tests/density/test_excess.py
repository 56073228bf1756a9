"""The one-sided test of a noise's frequencies, and the nearest noise that passes it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jaxrestore as jr
from jaxrestore.density.excess import excess_p_values, mean_square_below, without_excess
from jaxrestore.density.typical import to_blocks

FRESH = jax.random.normal(jax.random.key(0), (40, 64, 64, 3))
energy = jax.jit(jax.vmap(lambda noise: jnp.mean(to_blocks(noise) ** 2, axis=(0, 2))))
calm = jax.jit(jax.vmap(without_excess, (0, None)))


@pytest.mark.parametrize("n", [16, 64, 1024])
def test_the_quantile_is_chi_squares(n):
    p = np.array([0.001, 0.05, 0.5, 0.95])
    np.testing.assert_allclose(mean_square_below(p, n), scipy.stats.chi2.isf(p, n) / n, rtol=0.01)


def test_p_values_are_uniform_on_fresh_noise():
    p = np.asarray(jax.jit(jax.vmap(excess_p_values))(FRESH)).ravel()
    assert scipy.stats.kstest(p, "uniform").statistic < 0.02
    assert np.all(jax.jit(excess_p_values)(2 * FRESH[0]) < 1e-6)


def test_what_is_not_too_loud_stays():
    quiet = 0.5 * FRESH[:2]
    np.testing.assert_allclose(calm(quiet, 0.5), quiet, atol=1e-5)
    np.testing.assert_allclose(calm(FRESH[:2], 1e-6), FRESH[:2], atol=1e-5)


def test_a_loud_frequency_is_brought_back_and_the_others_stay():
    ripple = 3 * np.cos(np.pi * (np.arange(64) + 0.5) * 3 / 8)[None, :, None] * np.ones((64, 64, 1), np.float32)
    noise = FRESH[:1] + ripple
    before, after = energy(noise)[0], energy(calm(noise, 0.05))[0]
    loud = before > 3
    assert loud.sum() == 1  # one frequency of brightness: rows are constant
    assert float(after[loud][0]) < 0.01 * float(
        before[loud][0]
    )  # of this tiling at the edge; the other sees it elsewhere
    usual = before < 1.2
    assert float(jnp.median(jnp.abs(after / before - 1)[usual])) < 0.02


def test_levels_are_ordered_and_nothing_grows():
    loud = 1.5 * FRESH[:1]
    norms = [float(jnp.sqrt(jnp.mean(calm(loud, p) ** 2))) for p in (1e-4, 0.05, 0.5, 0.95)]
    assert norms == sorted(norms, reverse=True)
    assert 0.97 < norms[2] < 1.01
    assert np.all(energy(calm(loud, 0.5)) <= energy(loud) * 1.0001)


def test_patches_must_tile():
    with pytest.raises(jr.InputError, match="don't tile"):
        without_excess(jnp.zeros((10, 8, 3)))
