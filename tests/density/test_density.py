"""The density objective and the tests of normality: closed forms, SciPy, and what fresh noise gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jaxrestore.density import normality
from jaxrestore.density import gaussian as density

FRESH = jax.random.normal(jax.random.key(0), (200, 32, 32, 3))


@pytest.mark.parametrize("size", [4, 8, 16, 32])
def test_fresh_noise_has_mean_0_and_deviation_1_in_every_term(size):
    for values in density.terms(FRESH, size):
        assert abs(float(values.mean())) < 4 / 200**0.5
        assert 0.75 < float(values.std()) < (1.6 if size < 32 else 2.2)  # of three patches, squares have heavier tails


@pytest.mark.parametrize("size", [4, 8])
def test_every_statistic_is_standard(size):
    for values, spread in density.statistics(FRESH, size).values():
        assert abs(float(values.mean())) < 0.02
        np.testing.assert_allclose(values.var(), 1, atol=0.03)
        np.testing.assert_allclose((values**2).var(), spread.mean(), rtol=0.3)


SMOOTH = jax.scipy.signal.convolve(FRESH[:50], jnp.ones((1, 2, 2, 1)) / 2, mode="same")


@pytest.mark.parametrize(
    ("noise", "names"),
    [
        (0.9 * FRESH, ("radial",)),
        (1.1 * FRESH, ("radial",)),
        (FRESH + 0.3, ("mean",)),
        (SMOOTH, ("whiteness",)),
        (FRESH.at[..., 1].set(FRESH[..., 0]), ("channels",)),
        (jnp.sign(FRESH), ("shape",)),
    ],
)
def test_each_fault_shows_in_its_term(noise, names):
    found = density.terms(noise, 8)
    for name in names:
        assert float(getattr(found, name).min()) > 5
    assert float(density.objective(noise).min()) > float(density.objective(FRESH).mean())


def test_scaling_to_zero_is_no_improvement_though_the_density_rises():
    z = FRESH
    scaled = [float(density.objective(factor * z).mean()) for factor in (0.5, 0.96, 1.0, 1.04, 1.5)]
    assert np.argmin(scaled) == 2
    assert float(jax.scipy.stats.norm.logpdf(0.5 * z).sum()) > float(jax.scipy.stats.norm.logpdf(z).sum())


def test_the_objective_is_a_function_for_jit_vmap_and_grad():
    z, weights = FRESH[:3], density.Terms(radial=2.0, shape=0.0)
    wanted = density.objective(z, 8, weights)
    np.testing.assert_allclose(jax.jit(density.objective, static_argnums=1)(z, 8, weights), wanted, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(lambda one: density.objective(one, 8, weights))(z), wanted, rtol=1e-5)
    gradient = jax.grad(lambda z: density.objective(z, 8).sum())(z)
    better = density.objective(z - 0.1 * gradient, 8)
    assert float((better - density.objective(z, 8)).max()) < 0
    for flat in (jnp.zeros_like(z), jnp.ones_like(z)):
        assert np.all(np.isfinite(jax.grad(lambda z: density.objective(z, 8).sum())(flat)))


@pytest.mark.parametrize(("size", "shape"), [(4, (8, 16, 3)), (8, (2, 8, 8, 1)), (2, (2, 3, 4, 6, 2)), (1, (3, 2, 1))])
def test_patches_and_spectra_keep_everything(size, shape):
    noise = jax.random.normal(jax.random.key(1), shape)
    (*batch, height, width, channels) = shape
    patches = density.to_patches(noise, size)
    assert patches.shape == (*batch, height * width // size**2, channels, size**2)
    np.testing.assert_array_equal(density.from_patches(patches, noise.shape), noise)
    corner = noise[..., :size, :size, 0].reshape(*noise.shape[:-3], -1)
    np.testing.assert_array_equal(patches[..., 0, 0, :], corner)
    energies = [jnp.sum(array**2, -1) for array in (patches, density.spectrum(patches))]
    np.testing.assert_allclose(*energies, rtol=1e-4, atol=1e-5)
    bands = density.band_of(size)
    assert bands.shape == (size**2,)
    assert bands[0] == 0


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"Patches of 5 don't tile a noise of 32 x 32"):
        density.terms(FRESH, 5)


@pytest.mark.parametrize("n", [16, 64, 256])
def test_p_values_are_those_of_scipy(n):
    for shift, scale in ((0, 1), (0.3, 1), (0, 1.3), (0, 0.8)):
        x = scale * jax.random.normal(jax.random.key(n), (20, n)) + shift
        z = x.sum(-1) / n**0.5
        np.testing.assert_allclose(normality.mean_test(x), 2 * scipy.stats.norm.sf(np.abs(z)), rtol=1e-3, atol=1e-6)
        energy = (x**2).sum(-1)
        sides = np.minimum(scipy.stats.chi2.cdf(energy, n), scipy.stats.chi2.sf(energy, n))
        np.testing.assert_allclose(normality.norm_test(x), np.minimum(1, 2 * sides), rtol=2e-3, atol=1e-6)
        exact = [scipy.stats.kstest(row, "norm").pvalue for row in x]
        np.testing.assert_allclose(normality.kolmogorov_smirnov(x), exact, atol=0.025 if n < 64 else 0.015)


@pytest.mark.parametrize("size", [4, 16])
def test_p_values_of_fresh_noise_are_uniform(size):
    found = jax.jit(normality.patch_tests, static_argnums=1)(FRESH[:60], size)
    for values in found:
        few = np.asarray(values).ravel()[:: max(1, values.size // 4000)]
        assert scipy.stats.kstest(few, "uniform").pvalue > 1e-4
    rate = float(normality.flagged(found, 0.05).mean())
    assert 0.02 < rate < 0.06


def test_faults_are_flagged():
    for noise in (0.7 * FRESH[:20], FRESH[:20] + 0.7, SMOOTH[:20], jnp.sign(FRESH[:20])):
        p = jax.jit(normality.patch_tests, static_argnums=1)(noise, 16)
        assert float(normality.flagged(p).mean()) > 0.9
