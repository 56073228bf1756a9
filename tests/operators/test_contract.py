"""What operators say of themselves, what is asked of the last part of a chain, and the defaults of a user's own."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import operators as ops

KNOWN = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]])


def invert(image):
    """A user's operator in its barest form."""
    return -image


def test_defaults_suit_a_picture(image):
    assert isinstance(invert, ops.Operator)
    assert ops.kind_of(invert) == "any"
    assert ops.is_picture(invert)
    assert ops.penalty(invert) == 0
    assert ops.kernels_of(invert) == []
    assert ops.described(invert) is None
    assert ops.sigma_of(invert, 0.1, image) == 0.1
    assert ops.begin(invert, image) is invert
    assert ops.put_back(invert, image, -image) is image
    assert ops.shown(invert, image) is ops.selected(invert, image) is image
    np.testing.assert_allclose(ops.from_brightness(invert, np.array([0, 0.5, 1])), [-1, 0, 1])


def test_what_was_measured_is_put_back():
    image, truth = jax.random.uniform(jax.random.key(0), (2, 4, 4, 3), minval=-1)
    inpainted = ops.put_back(ops.Mask(KNOWN), image, ops.Mask(KNOWN)(truth))
    np.testing.assert_array_equal(inpainted, np.where(KNOWN[..., None], truth, image))
    coloured = ops.put_back(ops.Grayscale(), image, ops.Grayscale()(truth))
    np.testing.assert_allclose(ops.Grayscale()(coloured), ops.Grayscale()(truth), atol=1e-6)
    np.testing.assert_allclose(coloured - image, (coloured - image)[..., :1].repeat(3, -1), atol=1e-6)
    again = ops.put_back(ops.Grayscale(), coloured, ops.Grayscale()(truth))
    np.testing.assert_allclose(again, coloured, atol=1e-6)
    chain = ops.Compose((ops.Mask(KNOWN), ops.Tone(1.0)))
    assert ops.put_back(chain, image, truth) is image


def test_noise_of_a_measurement_is_what_sigma_of_says():
    """Of white noise on the camera's pixels."""
    noise = 0.1 * jax.random.normal(jax.random.key(0), (200, 16, 16, 3))
    mask = ops.Mask(np.kron(KNOWN, np.ones((4, 4))))
    np.testing.assert_allclose(jnp.sqrt(jnp.mean(mask(noise) ** 2)), ops.sigma_of(mask, 0.1, noise[0]), rtol=0.02)
    chain = ops.Compose((ops.Identity(), mask))
    assert ops.sigma_of(chain, 0.1, noise[0]) == ops.sigma_of(mask, 0.1, noise[0])
    beam = ops.ParallelBeam([0.0])
    sinograms = beam(noise)
    middle = sinograms[:, 8]  # the ray through the middle crosses the whole image
    np.testing.assert_allclose(jnp.sqrt(jnp.mean(middle**2)), ops.sigma_of(beam, 0.1, sinograms[0]), rtol=0.06)


def test_a_measurement_is_shown_as_a_picture_of_three_channels():
    grey = jnp.arange(16.0).reshape(4, 4, 1)
    for operator in (ops.Grayscale(), ops.Compose((ops.Identity(), ops.Grayscale()))):
        np.testing.assert_array_equal(ops.shown(operator, grey), grey.repeat(3, -1))
    beam = ops.ParallelBeam(4)
    sinogram = beam(grey)
    for operator in (beam, ops.Compose((ops.Identity(), beam))):
        np.testing.assert_array_equal(ops.shown(operator, sinogram)[..., 1], ops.shown(beam, sinogram)[..., 0])
        assert not ops.is_picture(operator)


def test_a_measurement_of_brightness():
    image = jax.random.uniform(jax.random.key(0), (8, 8, 3), minval=-1)
    for beam in (ops.ParallelBeam(4), ops.Compose((ops.Identity(), ops.ParallelBeam(4)))):
        sinogram = beam((image + 1) / 2)
        np.testing.assert_allclose(ops.from_brightness(beam, sinogram), beam(image), atol=1e-5)


def test_only_what_was_measured_is_selected():
    y = jnp.ones((4, 4, 3))
    for operator in (ops.Mask(KNOWN), ops.Compose((ops.Identity(), ops.Mask(KNOWN)))):
        np.testing.assert_array_equal(ops.selected(operator, y)[..., 0], KNOWN)
    assert ops.selected(ops.Compose((ops.Mask(KNOWN), ops.Identity())), y) is y


def test_kernels_are_those_of_all_parts():
    gaussian, cross = ops.GaussianKernel(3), np.ones((1, 3))
    chain = ops.Compose((ops.Blur(gaussian), ops.AveragePool(2), ops.VaryingBlur([cross] * 4, (4, 4))))
    kernels = ops.kernels_of(chain)
    assert [kernel.shape for kernel in kernels] == [(3, 3)] + [(1, 3)] * 4
    np.testing.assert_array_equal(kernels[0], gaussian())
