"""Each family of operators against what it is said to equal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from skimage.transform import iradon, radon

from jaxrestore import operators as ops
from jaxrestore import simulate


@pytest.fixture(scope="module")
def photograph():
    """Smooth and not square-symmetric, ``[32, 32, 3]``."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((32, 32), Image.Resampling.BICUBIC), np.float32) / 127.5 - 1


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_bicubic_is_that_of_pillow(photograph, scale):
    side = 32 // scale
    planes = [Image.fromarray(photograph[..., c]).resize((side, side), Image.Resampling.BICUBIC) for c in range(3)]
    np.testing.assert_allclose(ops.Bicubic(scale)(jnp.asarray(photograph)), np.stack(planes, axis=-1), atol=1e-5)


def test_stride_keeps_pixels(photograph):
    np.testing.assert_array_equal(ops.Stride(4)(jnp.asarray(photograph)), photograph[1::4, 1::4])


def test_grey_is_that_of_pillow(photograph):
    levels = np.round((photograph + 1) * 127.5).astype(np.uint8)
    wanted = np.asarray(Image.fromarray(levels).convert("L"), np.float32)
    found = (ops.Grayscale()(jnp.asarray(levels, jnp.float32) / 127.5 - 1)[..., 0] + 1) * 127.5
    np.testing.assert_allclose(found, wanted, atol=0.51)  # Pillow rounds


@pytest.mark.parametrize("side", [32, 31])
def test_tomography_is_the_radon_transform_of_scikit_image(photograph, side):
    image = photograph[:side, :side]
    operator = ops.ParallelBeam.create(np.array([0.0, 17.0, 45.0, 90.0, 123.0]))
    rows, columns = np.ogrid[:side, :side]
    inside = (rows - side // 2) ** 2 + (columns - side // 2) ** 2 <= (side // 2) ** 2
    angles = np.rad2deg(operator.angles)
    wanted = np.stack([radon(image[..., c] * inside, angles) for c in range(3)], axis=-1)
    found = operator(jnp.asarray(image))
    assert np.linalg.norm(found - wanted) < 0.01 * np.linalg.norm(wanted)
    np.testing.assert_allclose(operator(jnp.stack([image, -image]))[1], -found, atol=1e-4)
    np.testing.assert_allclose(jax.jit(lambda o, x: o(x))(operator, jnp.asarray(image)), found, atol=1e-4)
    assert operator(jnp.asarray(image, jnp.bfloat16)).dtype == jnp.bfloat16


def test_tomography_has_an_exact_adjoint_and_the_classical_reconstruction(photograph):
    operator = ops.ParallelBeam.create(40)
    image = jnp.asarray(photograph)
    sinogram = operator(image)
    other = jax.random.normal(jax.random.key(0), sinogram.shape)
    np.testing.assert_allclose(
        jnp.vdot(sinogram, other), jnp.vdot(image, ops.adjoint(operator, other, image.shape)), rtol=1e-4
    )
    wanted = np.stack([iradon(np.asarray(sinogram)[..., c], np.rad2deg(operator.angles)) for c in range(3)], axis=-1)
    inside = np.hypot(*(np.mgrid[:32, :32] - 16)) <= 13
    difference = np.asarray(operator.filtered_back_projection(sinogram))[inside] - wanted[inside]
    assert np.sqrt(np.mean(difference**2)) < 0.02  # another interpolation along the detector
    assert np.mean((wanted[inside] - photograph[inside]) ** 2) < 0.02


def test_a_motion_kernel_is_its_path():
    draw = jax.vmap(
        lambda key, length, curvature: simulate.motion_kernel(key, 21, length, curvature), in_axes=(0, None, None)
    )
    keys = jax.random.split(jax.random.key(0), 20)
    for curvature in (0.0, 2.0):
        kernels = draw(keys, 12.0, curvature)
        np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1, rtol=1e-5)
        assert kernels.min() >= 0
        rows, columns = np.mgrid[-10:11, -10:11]
        centres = np.stack([(kernels * rows).sum((1, 2)), (kernels * columns).sum((1, 2))])
        np.testing.assert_allclose(centres, 0, atol=1e-3)
        spread = np.sqrt((kernels * (rows**2 + columns**2)).sum((1, 2)))
        straight = 12 / np.sqrt(12)  # deviation of a uniform line; the pace along it varies
        assert (abs(spread / straight - 1) < 0.15).all() if curvature == 0 else spread.mean() < straight
    assert not np.allclose(kernels[0], kernels[1])
    point = jax.jit(simulate.motion_kernel, static_argnums=1)(keys[0], 5, 0.0)
    np.testing.assert_allclose(point[2, 2], 1, atol=1e-5)


def test_an_off_centre_gaussian():
    kernel = ops.GaussianKernel.create(41, (3.0, 2.0), 0.3, offset=(5.0, -2.0))()
    rows, columns = np.mgrid[-20:21, -20:21]
    np.testing.assert_allclose([(kernel * rows).sum(), (kernel * columns).sum()], [5, -2], atol=1e-2)


def test_varying_blur_blends_its_kernels(photograph):
    image, same = jnp.asarray(photograph), jnp.asarray(np.random.default_rng(0).random((5, 5)), jnp.float32)
    one = ops.Blur.create(same)(image)
    np.testing.assert_allclose(ops.VaryingBlur.create((same,) * 9, (32, 32))(image), one, atol=1e-4)
    point = jnp.zeros((5, 5)).at[2, 2].set(1.0)
    mixed = ops.VaryingBlur.create((point, same, same, same), (32, 32))(image)
    np.testing.assert_allclose(mixed[:8, :8], image[:8, :8], atol=1e-5)  # the first region alone
    np.testing.assert_allclose(mixed[24:, 24:], one[24:, 24:], atol=1e-4)
    blind = ops.VaryingBlur.create((ops.SoftmaxKernel.create(3),) * 4, (8, 8))
    assert len(jax.tree.leaves(ops.partition(blind)[0])) == 4


def test_masks():
    box = simulate.box_mask((10, 12), 4)
    assert box.shape == (10, 12)
    assert (1 - box).sum() == 16
    np.testing.assert_array_equal(box, box[::-1, ::-1])
    few = simulate.random_mask(jax.random.key(0), (64, 64), 0.05)
    assert few.sum() == round(0.05 * 64 * 64)
    assert (few != simulate.random_mask(jax.random.key(1), (64, 64), 0.05)).any()
    text = simulate.text_mask((64, 64), "flower")
    assert 0.6 < text.mean() < 0.95
    assert (text.reshape(4, 16, 64).min(axis=(1, 2)) == 0).all()  # every quarter is written on
