"""Tomography against scikit-image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.transform import iradon, radon

from jaxrestore import operators as ops


@pytest.mark.parametrize("side", [32, 31])
def test_tomography_is_the_radon_transform_of_scikit_image(smooth, side):
    image = smooth[:side, :side]
    operator = ops.ParallelBeam(np.array([0.0, 17.0, 45.0, 90.0, 123.0]))
    rows, columns = np.ogrid[:side, :side]
    inside = (rows - side // 2) ** 2 + (columns - side // 2) ** 2 <= (side // 2) ** 2
    angles = np.rad2deg(operator.angles)
    wanted = np.stack([radon(image[..., c] * inside, angles) for c in range(3)], axis=-1)
    sinogram = operator(jnp.asarray(image))
    assert np.linalg.norm(sinogram - wanted) < 0.01 * np.linalg.norm(wanted)
    np.testing.assert_allclose(operator(jnp.stack([image, -image]))[1], -sinogram, atol=1e-4)
    np.testing.assert_allclose(jax.jit(lambda o, x: o(x))(operator, jnp.asarray(image)), sinogram, atol=1e-4)
    assert operator(jnp.asarray(image, jnp.bfloat16)).dtype == jnp.bfloat16


def test_tomography_has_an_exact_adjoint_and_the_classical_reconstruction(smooth):
    operator = ops.ParallelBeam(40)
    image = jnp.asarray(smooth)
    sinogram = operator(image)
    other = jax.random.normal(jax.random.key(0), sinogram.shape)
    np.testing.assert_allclose(
        jnp.vdot(sinogram, other), jnp.vdot(image, ops.adjoint(operator, other, image.shape)), rtol=1e-4
    )
    wanted = np.stack([iradon(np.asarray(sinogram)[..., c], np.rad2deg(operator.angles)) for c in range(3)], axis=-1)
    inside = np.hypot(*(np.mgrid[:32, :32] - 16)) <= 13
    reconstruction = operator.filtered_back_projection(sinogram)
    difference = np.asarray(reconstruction)[inside] - wanted[inside]
    assert np.sqrt(np.mean(difference**2)) < 0.02  # another interpolation along the detector
    assert np.mean((wanted[inside] - smooth[inside]) ** 2) < 0.02
    np.testing.assert_allclose(
        ops.shown(operator, sinogram), reconstruction, atol=1e-6
    )  # compiled, on a GPU otherwise summed
