"""FID and KID in closed form."""

import jax
import numpy as np
import pytest

from jaxrestore.metrics.distributions import Moments, features_of, frechet_distance, kernel_distance, moments


def test_frechet_distance_of_gaussians():
    """Of commuting covariances it is |m_a - m_b|^2 + |C_a^1/2 - C_b^1/2|^2."""
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0]
    roots = np.array([[1.0, 2, 0.5, 0, 3], [2.0, 1, 0.5, 1, 0]])
    shift = np.arange(5.0)
    one, other = (Moments(k * shift, basis @ np.diag(root**2) @ basis.T) for k, root in enumerate(roots))
    wanted = (shift**2).sum() + ((roots[0] - roots[1]) ** 2).sum()
    assert frechet_distance(one, other) == pytest.approx(wanted)
    assert frechet_distance(other, one) == pytest.approx(wanted)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)


def test_moments_are_those_of_the_features():
    values = np.random.default_rng(0).standard_normal((500, 3)) @ np.diag([1, 2, 3])
    found = moments(values)
    np.testing.assert_allclose(found.covariance, np.cov(values.T))
    with pytest.raises(ValueError, match="at least two images"):
        moments(values[:1])


def test_kernel_distance_is_the_unbiased_mean_over_pairs():
    draw = np.random.default_rng(0)
    a, b = draw.standard_normal((5, 4), np.float32), 1 + draw.standard_normal((6, 4), np.float32)

    def kernel(x, y):
        return (np.dot(x, y) / 4 + 1) ** 3

    def mean(xs, ys):
        return np.mean([kernel(x, y) for i, x in enumerate(xs) for j, y in enumerate(ys) if xs is not ys or i != j])

    found = kernel_distance(jax.device_put(a), jax.device_put(b))
    assert float(found) == pytest.approx(mean(a, a) + mean(b, b) - 2 * mean(a, b), rel=1e-4)


def test_features_do_not_depend_on_the_batches():
    images = np.random.default_rng(0).uniform(-1, 1, (7, 4, 4, 3)).astype(np.float32)
    found = features_of(lambda x: x.mean((1, 2)), images, 3)
    np.testing.assert_allclose(found, images.mean((1, 2)), rtol=1e-5)
