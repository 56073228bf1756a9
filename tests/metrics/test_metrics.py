import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import metrics as reference

from jaxrestore import metrics
from jaxrestore.operators import AveragePool


@pytest.fixture
def pair():
    a = jax.random.uniform(jax.random.key(0), (2, 24, 32, 3), minval=-1)
    return a, jnp.clip(a + 0.3 * jax.random.normal(jax.random.key(1), a.shape), -1, 1)


def test_psnr_and_ssim_are_those_of_scikit_image(pair):
    a, b = map(np.asarray, pair)
    for i in range(2):
        wanted = reference.peak_signal_noise_ratio(b[i], a[i], data_range=2)
        np.testing.assert_allclose(metrics.psnr(*(x[i] for x in pair)), wanted, rtol=1e-4)
        wanted = reference.structural_similarity(
            a[i], b[i], data_range=2, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        np.testing.assert_allclose(metrics.ssim(*(x[i] for x in pair)), wanted, atol=1e-4)
    np.testing.assert_allclose(metrics.ssim(*pair).shape, (2,))


def test_equal_images_score_highest(pair):
    assert metrics.psnr(pair[0], pair[0]).min() == jnp.inf
    np.testing.assert_allclose(metrics.ssim(pair[0], pair[0]), 1, atol=1e-5)


def test_gradient_deviation_is_that_of_a_convolution_by_hand(pair):
    image, reference = pair[0][0], pair[1][0]
    down = np.array([[1, 1, 1], [0, 0, 0], [-1, -1, -1]]) / 3

    def magnitude(values):
        grey = np.asarray(values).mean(-1) / 2
        rows, columns = grey.shape[0] - 2, grey.shape[1] - 2
        parts = [
            sum(kernel[i, j] * grey[i : i + rows, j : j + columns] for i in range(3) for j in range(3))
            for kernel in (down, down.T)
        ]
        return np.hypot(*parts)

    a, b, constant = magnitude(image), magnitude(reference), 170 / 255**2
    wanted = ((2 * a * b + constant) / (a**2 + b**2 + constant)).std()
    np.testing.assert_allclose(metrics.gradient_deviation(image, reference), wanted, rtol=1e-3)
    np.testing.assert_allclose(metrics.gradient_deviation(image, image), 0, atol=1e-5)


def test_noise_level_is_estimated_from_the_image_alone():
    rows, columns = jnp.meshgrid(jnp.linspace(-0.8, 0.8, 65), jnp.linspace(-0.5, 0.5, 65), indexing="ij")
    noisy = (rows * columns)[..., None] + 0.1 * jax.random.normal(jax.random.key(0), (65, 65, 3))
    np.testing.assert_allclose(metrics.estimate_noise_level(noisy), 0.1, rtol=0.1)
    known = jnp.ones((65, 65, 1)).at[:, :40].set(0)
    np.testing.assert_allclose(metrics.estimate_noise_level(known * noisy, known), 0.1, rtol=0.1)


def test_a_shift_is_found_and_removed():
    clean = jax.random.uniform(jax.random.key(0), (20, 24, 3), minval=-1)
    noisy = clean + 0.1 * jax.random.normal(jax.random.key(1), clean.shape)
    moved = jnp.roll(noisy, (2, -3), axis=(0, 1))
    image, reference_part = metrics.registered(moved, clean)
    np.testing.assert_array_equal(reference_part, clean[3:-3, 3:-3])
    np.testing.assert_array_equal(image, noisy[3:-3, 3:-3])
    assert metrics.psnr(moved, clean) < 12 < 20 < metrics.psnr(image, reference_part)
    both = jax.vmap(metrics.registered)(jnp.stack([moved, noisy]), jnp.stack([clean, clean]))[0]
    np.testing.assert_array_equal(both[1], image)
    with pytest.raises(ValueError, match="nothing left"):
        metrics.registered(clean, clean, 10)


def test_kernel_similarity_knows_no_shift():
    kernel = jax.random.uniform(jax.random.key(0), (7, 7))
    other = jax.random.uniform(jax.random.key(1), (5, 7))
    shifted = jnp.pad(kernel, ((4, 0), (0, 2)))
    np.testing.assert_allclose(metrics.kernel_similarity(kernel, 3 * shifted), 1, atol=1e-5)
    found = metrics.kernel_similarity(kernel, other)
    np.testing.assert_allclose(found, metrics.kernel_similarity(other, kernel), atol=1e-5)
    wanted = max(
        float(jnp.sum(jnp.pad(kernel, 7)[i : i + 5, j : j + 7] * other)) for i in range(16) for j in range(14)
    ) / float(jnp.linalg.norm(kernel) * jnp.linalg.norm(other))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    point = jnp.zeros((7, 7)).at[3, 3].set(1)
    assert metrics.kernel_similarity(kernel, point) < found


def test_data_residual_of_the_truth_is_the_noise():
    keys = jax.random.split(jax.random.key(0))
    truth = jax.random.uniform(keys[0], (3, 32, 32, 3), minval=-1, maxval=1)
    operator = AveragePool(2)
    noise = 0.1 * jax.random.normal(keys[1], (3, 16, 16, 3))
    found = jax.jit(jax.vmap(lambda image, y: metrics.data_residual(operator, image, y)))(
        truth, operator(truth) + noise
    )
    np.testing.assert_allclose(found, jnp.mean(noise**2, axis=(1, 2, 3)), rtol=1e-3)
    np.testing.assert_allclose(metrics.data_residual(operator, truth[0], operator(truth[0])), 0)
