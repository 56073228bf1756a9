"""Blur and its kernels, and blur that varies: against SciPy, closed forms, and one another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxrestore import operators as ops

KERNEL = np.random.default_rng(0).random((5, 7)).astype(np.float32)


@pytest.mark.parametrize(("boundary", "mode"), [("zero", "constant"), ("reflect", "mirror"), ("circular", "wrap")])
@pytest.mark.parametrize("algorithm", ["direct", "fft"])
def test_blur_is_the_convolution_of_scipy(image, boundary, mode, algorithm):
    blurred = ops.Blur(KERNEL, boundary, algorithm)(image)
    wanted = np.stack([ndimage.convolve(np.asarray(image)[..., c], KERNEL, mode=mode) for c in range(3)], axis=-1)
    np.testing.assert_allclose(blurred, wanted, atol=2e-5)


def test_a_point_becomes_a_picture_of_the_kernel():
    point = jnp.zeros((9, 9, 1)).at[4, 4].set(1)
    np.testing.assert_allclose(ops.Blur(KERNEL, "zero")(point)[2:7, 1:8, 0], KERNEL, atol=1e-6)


def test_kernels_have_sum_one_and_the_gaussian_its_moments():
    generated = ops.GeneratedKernel(9, jax.random.key(0), inputs=20, hidden=30)
    gaussian = ops.GaussianKernel(41, (4.0, 2.0), np.pi / 6)
    for kernel in (generated(), ops.SoftmaxKernel(5)(), gaussian()):
        np.testing.assert_allclose(kernel.sum(), 1, rtol=1e-5)
        assert kernel.min() >= 0
    rows, columns = np.mgrid[-20:21, -20:21]
    along = columns * np.cos(np.pi / 6) + rows * np.sin(np.pi / 6)
    across = rows * np.cos(np.pi / 6) - columns * np.sin(np.pi / 6)
    np.testing.assert_allclose((gaussian() * along**2).sum() ** 0.5, 4, rtol=1e-3)
    np.testing.assert_allclose((gaussian() * across**2).sum() ** 0.5, 2, rtol=1e-3)
    assert generated().shape == (9, 9)


def test_an_off_centre_gaussian():
    kernel = ops.GaussianKernel(41, (3.0, 2.0), 0.3, offset=(5.0, -2.0))()
    rows, columns = np.mgrid[-20:21, -20:21]
    np.testing.assert_allclose([(kernel * rows).sum(), (kernel * columns).sum()], [5, -2], atol=1e-2)


def test_where_the_estimate_of_a_kernel_starts():
    """At a tenth of its size: what the command line's tasks start from."""
    gaussian = ops.GaussianKernel(11, unknown=True)
    np.testing.assert_allclose(jnp.exp(gaussian.log_sigmas), [1.21, 0.99], rtol=1e-6)
    np.testing.assert_allclose(gaussian.angle, np.pi / 8, rtol=1e-6)
    assert ops.GaussianKernel(11, (2.0, 1.0), unknown=True).angle == 0
    np.testing.assert_allclose(ops.SoftmaxKernel(11)(), ops.GaussianKernel(11, (1.1, 1.1))(), atol=1e-6)
    cross = np.array([[0.0, 1, 0], [0, 2, 0], [0, 1, 0]])
    np.testing.assert_allclose(ops.SoftmaxKernel.from_weights(cross)(), cross / 4, atol=1e-5)
    assert ops.SoftmaxKernel.from_weights(cross, unknown=False).unknown == ()


def test_the_default_algorithm_suits_the_kernel():
    assert ops.Blur(KERNEL).algorithm == "direct"
    assert ops.Blur(ops.SoftmaxKernel(3)).algorithm == "fft"
    assert ops.Blur(ops.SoftmaxKernel(3), algorithm="direct").algorithm == "direct"


def test_varying_blur_blends_its_kernels(smooth):
    image, same = jnp.asarray(smooth), jnp.asarray(np.random.default_rng(0).random((5, 5)), jnp.float32)
    one = ops.Blur(same)(image)
    np.testing.assert_allclose(ops.VaryingBlur((same,) * 9, (32, 32))(image), one, atol=1e-4)
    point = jnp.zeros((5, 5)).at[2, 2].set(1.0)
    mixed = ops.VaryingBlur((point, same, same, same), (32, 32))(image)
    np.testing.assert_allclose(mixed[:8, :8], image[:8, :8], atol=1e-5)  # the first region alone
    np.testing.assert_allclose(mixed[24:, 24:], one[24:, 24:], atol=1e-4)
    blind = ops.VaryingBlur((ops.SoftmaxKernel(3),) * 4, (8, 8))
    assert len(jax.tree.leaves(ops.partition(blind)[0])) == 4


def test_a_disc_has_a_soft_rim_and_is_found_again_by_its_second_moment():
    for radius in (1.0, 2.3, 4.0):
        kernel = ops.DiscKernel(15, radius)()
        assert float(kernel.sum()) == pytest.approx(1)
        np.testing.assert_allclose(kernel, kernel[::-1].T, atol=1e-7)
        shifted = ops.DiscKernel(15, unknown=True).fitted(jnp.roll(kernel, (2, -1), (0, 1)))
        assert float(shifted.radius) == pytest.approx(radius, abs=0.15)
        assert shifted.unknown == ("radius",)
    assert float(ops.DiscKernel(9, 0.1)()[4, 4]) == 1  # nothing is smaller than a pixel


def test_a_disc_has_a_derivative_in_its_radius():
    def width(radius):
        return jnp.sum(ops.DiscKernel(15, radius)() * (jnp.arange(15) - 7.0) ** 2)

    slope, step = jax.grad(width)(3.3), 0.05
    assert float(slope) == pytest.approx(float(width(3.3 + step) - width(3.3 - step)) / (2 * step), rel=0.05)
    assert float(slope) == pytest.approx(3.3 / 2, rel=0.15)  # of R^2 / 4


def test_large_arrays_are_blurred_by_spectra():
    assert [ops.Blur(np.ones((side, side))).algorithm for side in (11, 13)] == ["direct", "fft"]
    assert ops.Blur(np.ones((13, 13)), algorithm="direct").algorithm == "direct"
