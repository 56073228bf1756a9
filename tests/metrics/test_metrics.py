import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import metrics as reference

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.operators import AveragePool


def drawn(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def uniform(seed, *shape):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@pytest.fixture(scope="module")
def pair():
    a = uniform(0, 2, 24, 32, 3)
    return a, np.clip(a + 0.3 * drawn(1, *a.shape), -1, 1)


@jax.jit
def psnr_and_ssim(image, reference):
    return metrics.psnr(image, reference), metrics.ssim(image, reference)


def test_psnr_and_ssim_are_those_of_scikit_image(pair):
    together, alone = psnr_and_ssim(*pair), psnr_and_ssim(*(x[1] for x in pair))
    for i, (a, b) in enumerate(zip(*pair, strict=True)):
        wanted = reference.peak_signal_noise_ratio(b, a, data_range=2)
        np.testing.assert_allclose(together[0][i], wanted, rtol=1e-4)
        similar = reference.structural_similarity(
            a, b, data_range=2, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        np.testing.assert_allclose(together[1][i], similar, atol=1e-4)
    np.testing.assert_allclose(alone[0], wanted, rtol=1e-4)
    np.testing.assert_allclose(alone[1], similar, atol=1e-4)


def test_equal_images_score_highest(pair):
    psnr, ssim = psnr_and_ssim(pair[0], pair[0])
    assert psnr.min() == np.inf
    np.testing.assert_allclose(ssim, 1, atol=1e-5)


def test_gradient_deviation_is_that_of_a_convolution_by_hand(pair):
    image, reference = pair[0][0], pair[1][0]
    down = np.array([[1, 1, 1], [0, 0, 0], [-1, -1, -1]]) / 3

    def magnitude(values):
        grey = values.mean(-1) / 2
        rows, columns = grey.shape[0] - 2, grey.shape[1] - 2
        parts = [
            sum(kernel[i, j] * grey[i : i + rows, j : j + columns] for i in range(3) for j in range(3))
            for kernel in (down, down.T)
        ]
        return np.hypot(*parts)

    a, b, constant = magnitude(image), magnitude(reference), 170 / 255**2
    wanted = ((2 * a * b + constant) / (a**2 + b**2 + constant)).std()
    found = jax.jit(metrics.gradient_deviation)
    np.testing.assert_allclose(found(image, reference), wanted, rtol=1e-3)
    np.testing.assert_allclose(found(image, image), 0, atol=1e-5)


def test_noise_level_is_estimated_from_the_image_alone():
    rows, columns = np.meshgrid(np.linspace(-0.8, 0.8, 65), np.linspace(-0.5, 0.5, 65), indexing="ij")
    noisy = (rows * columns).astype(np.float32)[..., None] + 0.1 * drawn(0, 65, 65, 3)
    found, known = jax.jit(metrics.estimate_sigma_y), np.ones((65, 65, 1), np.float32)
    np.testing.assert_allclose(found(noisy), 0.1, rtol=0.1)
    known[:, :40] = 0
    np.testing.assert_allclose(found(known * noisy, known), 0.1, rtol=0.1)


@pytest.mark.parametrize("side", [65, 200])  # by details, and by patches
def test_the_noise_of_a_grey_picture_counts_for_all_its_channels(side):
    rows, columns = np.meshgrid(np.linspace(-0.8, 0.8, side), np.linspace(-0.5, 0.5, side), indexing="ij")
    grey = ((rows * columns).astype(np.float32) + 0.1 * drawn(0, side, side))[..., None]
    colour = np.repeat(grey, 3, axis=-1)
    found = jax.jit(metrics.estimate_sigma_y)
    np.testing.assert_allclose(found(grey), 0.1, rtol=0.1)
    np.testing.assert_allclose(found(colour), 3**0.5 * found(grey), rtol=1e-4)
    together = found(np.stack([colour, colour + 0.1 * drawn(1, side, side, 3)]))
    np.testing.assert_allclose(together[0], found(colour), rtol=1e-4)
    assert together[1] < 1.5 * 0.1  # its channels differ


def test_a_shift_is_found_and_removed():
    clean = uniform(0, 20, 24, 3)
    noisy = clean + 0.1 * drawn(1, *clean.shape)
    moved = np.roll(noisy, (2, -3), axis=(0, 1))
    image, reference_part = jax.jit(metrics.registered)(moved, clean)
    np.testing.assert_array_equal(reference_part, clean[3:-3, 3:-3])
    np.testing.assert_array_equal(image, noisy[3:-3, 3:-3])
    psnr = jax.jit(metrics.psnr)
    assert psnr(moved, clean) < 12 < 20 < psnr(image, reference_part)
    both = jax.jit(jax.vmap(metrics.registered))(np.stack([moved, noisy]), np.stack([clean, clean]))[0]
    np.testing.assert_array_equal(both[1], image)
    with pytest.raises(ValueError, match="nothing left"):
        metrics.registered(jnp.asarray(clean), jnp.asarray(clean), 10)


def test_kernel_similarity_knows_no_shift():
    similarity = jax.jit(metrics.kernel_similarity)
    kernel, other = np.abs(uniform(0, 7, 7)), np.abs(uniform(1, 5, 7))
    np.testing.assert_allclose(similarity(kernel, 3 * np.pad(kernel, ((4, 0), (0, 2)))), 1, atol=1e-5)
    found = similarity(kernel, other)
    np.testing.assert_allclose(found, similarity(other, kernel), atol=1e-5)
    wanted = max(np.sum(np.pad(kernel, 7)[i : i + 5, j : j + 7] * other) for i in range(16) for j in range(14))
    np.testing.assert_allclose(found, wanted / (np.linalg.norm(kernel) * np.linalg.norm(other)), rtol=1e-4)
    point = np.zeros((7, 7), np.float32)
    point[3, 3] = 1
    assert similarity(kernel, point) < found


def test_data_residual_of_the_truth_is_the_noise():
    truth, noise = uniform(0, 3, 32, 32, 3), 0.1 * drawn(1, 3, 16, 16, 3)
    operator = AveragePool(2)
    measured = np.asarray(jax.jit(operator)(truth))
    residual = jax.jit(jax.vmap(lambda image, y: metrics.data_residual(operator, image, y)))
    np.testing.assert_allclose(residual(truth, measured + noise), np.mean(noise**2, axis=(1, 2, 3)), rtol=1e-3)
    np.testing.assert_allclose(residual(truth, measured), 0)


def test_blocks_are_told_from_what_is_within_them():
    draw = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(draw.standard_normal((40, 48, 3)), 0), 1) / 100
    blocks = np.repeat(np.repeat(0.1 * draw.standard_normal((5, 6, 3)), 8, 0), 8, 1)
    white = draw.standard_normal((64, 64, 3))
    blockiness = jax.jit(metrics.blockiness, static_argnames="size")
    assert 0.97 < blockiness(jnp.asarray(white, jnp.float32)) < 1.03
    stepped = jnp.asarray(smooth + blocks, jnp.float32)
    assert blockiness(stepped) > 1.1 * blockiness(jnp.asarray(smooth, jnp.float32))
    np.testing.assert_allclose(blockiness(3 * stepped), blockiness(stepped), rtol=1e-4)
    squares = jnp.diff(stepped, axis=0) ** 2, jnp.diff(stepped, axis=1) ** 2
    across = sum(np.mean([np.take(d, range(7, d.shape[i], 8), i)]) for i, d in enumerate(squares))
    within = sum(np.mean(np.delete(d, range(7, d.shape[i], 8), i)) for i, d in enumerate(squares))
    np.testing.assert_allclose(blockiness(stepped), np.sqrt(across / within), rtol=1e-4)
    with pytest.raises(jr.InputError, match="no borders of blocks"):
        metrics.blockiness(jnp.zeros((8, 40, 3)))
