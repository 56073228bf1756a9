"""The density objective and the tests of normality: closed forms, SciPy, and what fresh noise gives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.special
import scipy.stats

from jaxrestore.density import gaussian as density
from jaxrestore.density import normality

FRESH = np.asarray(jax.random.normal(jax.random.key(0), (200, 32, 32, 3)))
ONE_CHANNEL = np.stack([FRESH[..., 0], FRESH[..., 0], FRESH[..., 2]], -1)
SMOOTH = 2 * scipy.ndimage.uniform_filter(FRESH, (1, 2, 2, 1))
patch_tests = jax.jit(normality.patch_tests, static_argnums=1)


@functools.partial(jax.jit, static_argnums=1)
def described(noise, size):
    """Everything of the objective, in one program for each size."""
    return density.terms(noise, size), density.statistics(noise, size), density.objective(noise, size)


@functools.partial(jax.jit, static_argnums=1)
def sloped(noise, size):
    """The objective and the norm of its gradient, and that of the terms without their hinge, of each noise."""

    def norm(function):
        return jnp.sqrt(jnp.sum(jax.grad(lambda noise: function(noise).sum())(noise) ** 2, (-3, -2, -1)))

    hinged, bare = (lambda noise: density.objective(noise, size)), (lambda noise: sum(density.terms(noise, size)))
    return hinged(noise), norm(hinged), norm(bare)


@pytest.mark.parametrize("size", [4, 8, 16, 32])
def test_fresh_noise_has_mean_1_and_deviation_1_in_every_term(size):
    for values in described(FRESH, size)[0]:
        assert abs(float(values.mean()) - 1) < 4 / 200**0.5
        assert 0.75 < float(values.std()) < (1.6 if size < 32 else 2.2)  # of three patches, squares have heavier tails


@pytest.mark.parametrize(("size", "shape"), [(8, (32, 32, 3)), (4, (16, 16, 3)), (4, (16, 16, 1))])
def test_fresh_noise_is_hardly_pulled_and_within_the_typical_set_not_at_all(size, shape):
    """Two normal statistics are outside their disc by 3 / e - 2 Gamma(3/2, 1) on average, half the squared distance."""
    value, slope, bare = map(np.asarray, sloped(FRESH[:, : shape[0], : shape[1], : shape[2]], size))
    outside = 3 / np.e - 2 * scipy.special.gamma(1.5) * scipy.special.gammaincc(1.5, 1)
    terms = 5 if shape[2] > 1 else 4  # one channel has no correlations
    assert 0.6 < value.mean() / (terms * outside) < 2
    assert np.median(value) < 0.3
    assert slope.mean() < bare.mean() / 3
    within = value == 0
    assert 0.1 < within.mean() < 0.5
    assert np.all(slope[within] == 0)
    assert np.all(slope[~within] > 0)
    assert np.all(bare > 0)


@pytest.mark.parametrize("size", [4, 8])
def test_every_statistic_is_standard(size):
    for values, spread in jax.tree.map(np.asarray, described(FRESH, size)[1]).values():
        assert abs(float(values.mean())) < 0.02
        np.testing.assert_allclose(values.var(), 1, atol=0.03)
        np.testing.assert_allclose((values**2).var(), spread.mean(), rtol=0.3)


@pytest.mark.parametrize(
    ("noise", "name"),
    [
        (0.9 * FRESH, "radial"),
        (1.1 * FRESH, "radial"),
        (FRESH + 0.3, "mean"),
        (SMOOTH, "whiteness"),
        (ONE_CHANNEL, "channels"),
        (np.sign(FRESH), "shape"),
    ],
)
def test_each_fault_shows_in_its_term(noise, name):
    found, _, objective = described(noise, 8)
    assert float(getattr(found, name).min()) > 6
    assert float(objective.min()) > (6**0.5 - 1) ** 2 > 4 * float(described(FRESH, 8)[2].mean())


def test_scaling_to_zero_is_no_improvement_though_the_density_rises():
    z = FRESH
    scaled = [float(described(np.float32(factor) * z, 8)[2].mean()) for factor in (0.5, 0.96, 1.0, 1.04, 1.5)]
    assert np.argmin(scaled) == 2
    assert scipy.stats.norm.logpdf(0.5 * z).sum() > scipy.stats.norm.logpdf(z).sum()


def test_descending_ends_at_what_fresh_noise_has_and_not_below_it():
    """Four untypical noises come to the edge of the typical set, and one that is within it stays."""
    within = FRESH[np.argmax(np.asarray(described(FRESH[:, :16, :16], 4)[2]) == 0)]
    faulty = [array[0] for array in (1.3 * FRESH, 0.8 * FRESH, FRESH + 0.3, SMOOTH)]
    start = jnp.stack([jnp.asarray(array[:16, :16], jnp.float32) for array in (*faulty, within)])

    @jax.jit
    def descended(noise):
        """By steps that shorten as slopes add up."""

        def step(carry, _):
            noise, squares = carry
            slope = jax.grad(lambda noise: density.objective(noise, 4).sum())(noise)
            squares = squares + jnp.mean(slope**2, (-3, -2, -1), keepdims=True)
            return (noise - 0.1 * slope / jnp.sqrt(squares + 1e-12), squares), None

        end = jax.lax.scan(step, (noise, jnp.zeros((len(noise), 1, 1, 1))), None, 300)[0][0]
        return end, jnp.stack(density.terms(noise, 4)), jnp.stack(density.terms(end, 4))

    end, before, after = map(np.asarray, descended(start))
    assert np.all(before.max(0)[:4] > 6)
    np.testing.assert_allclose(after.max(0)[:4], 1, atol=0.1)
    assert 2 < after[:, :4].sum(0).mean() <= 5
    np.testing.assert_array_equal(end[4], start[4])


def test_the_gradient_goes_on_without_a_jump_where_the_typical_set_ends():
    z, weights = (
        jnp.asarray(FRESH[0, :8, :8]),
        density.Terms(radial=1.0, mean=0.0, whiteness=0.0, channels=0.0, shape=0.0),
    )
    slope = jax.jit(jax.vmap(jax.grad(lambda factor: density.objective(factor * z, 4, weights))))
    slopes = np.asarray(slope(jnp.linspace(0.7, 1.3, 401)))
    assert 0.05 < np.mean(slopes == 0) < 0.5
    assert slopes[0] < 0 < slopes[-1]
    assert np.abs(np.diff(slopes)).max() < 0.03 * np.ptp(slopes)


def test_the_objective_is_a_function_for_jit_vmap_and_grad():
    z, weights = jnp.asarray(FRESH[:3] * 1.1), density.Terms(radial=2.0, shape=0.0)
    wanted = density.objective(z, 8, weights)
    np.testing.assert_allclose(jax.jit(density.objective, static_argnums=1)(z, 8, weights), wanted, rtol=1e-5)
    each = jax.jit(jax.vmap(lambda one: density.objective(one, 8, weights)))
    np.testing.assert_allclose(each(z), wanted, rtol=1e-5)

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def gradient(z):
        found = density.objective(z, 8)
        return found.sum(), found

    slope, found = gradient(z)
    assert np.all(gradient(z - 0.1 * slope)[1] < found)
    for flat in (np.zeros_like(z), np.ones_like(z)):
        assert np.all(np.isfinite(gradient(flat)[0]))


@pytest.mark.parametrize(("size", "shape"), [(4, (8, 16, 3)), (8, (2, 8, 8, 1)), (2, (2, 3, 4, 6, 2)), (1, (3, 2, 1))])
def test_patches_and_spectra_keep_everything(size, shape):
    noise = np.random.default_rng(1).standard_normal(shape, np.float32)
    (*batch, height, width, channels) = shape

    @jax.jit
    def there_and_back(noise):
        patches = density.to_patches(noise, size)
        return patches, density.from_patches(patches, noise.shape), density.spectrum(patches)

    patches, back, spectrum = there_and_back(noise)
    assert patches.shape == (*batch, height * width // size**2, channels, size**2)
    np.testing.assert_array_equal(back, noise)
    corner = noise[..., :size, :size, 0].reshape(*noise.shape[:-3], -1)
    np.testing.assert_array_equal(np.asarray(patches)[..., 0, 0, :], corner)
    energies = [np.sum(np.asarray(array) ** 2, -1) for array in (patches, spectrum)]
    np.testing.assert_allclose(*energies, rtol=1e-4, atol=1e-5)
    bands = density.band_of(size)
    assert bands.shape == (size**2,)
    assert bands[0] == 0


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"Patches of 5 don't tile a noise of 32 x 32"):
        density.terms(jnp.asarray(FRESH), 5)


@pytest.mark.parametrize("n", [16, 64, 256])
def test_p_values_are_those_of_scipy(n):
    shifts, scales = np.array([(0, 1), (0.3, 1), (0, 1.3), (0, 0.8)], np.float32).T.reshape(2, 4, 1, 1)
    x = scales * np.random.default_rng(n).standard_normal((4, 20, n), np.float32) + shifts
    mean, norm, distribution = jax.jit(
        lambda x: (normality.mean_test(x), normality.norm_test(x), normality.kolmogorov_smirnov(x))
    )(x)
    z = x.sum(-1) / n**0.5
    np.testing.assert_allclose(mean, 2 * scipy.stats.norm.sf(np.abs(z)), rtol=1e-3, atol=1e-6)
    energy = (x**2).sum(-1)
    sides = np.minimum(scipy.stats.chi2.cdf(energy, n), scipy.stats.chi2.sf(energy, n))
    np.testing.assert_allclose(norm, np.minimum(1, 2 * sides), rtol=2e-3, atol=1e-6)
    exact = scipy.stats.kstest(x, "norm", axis=-1).pvalue
    np.testing.assert_allclose(distribution, exact, atol=0.025 if n < 64 else 0.015)


@pytest.mark.parametrize("size", [4, 16])
def test_p_values_of_fresh_noise_are_uniform(size):
    found = patch_tests(FRESH[:60], size)
    for values in found:
        few = np.asarray(values).ravel()[:: max(1, values.size // 4000)]
        assert scipy.stats.kstest(few, "uniform").pvalue > 1e-4
    rate = float(normality.flagged(found, 0.05).mean())
    assert 0.02 < rate < 0.06


def test_faults_are_flagged():
    for noise in (np.float32(0.7) * FRESH, FRESH + np.float32(0.7), SMOOTH, np.sign(FRESH)):
        assert float(normality.flagged(patch_tests(noise[:60], 16)).mean()) > 0.9
