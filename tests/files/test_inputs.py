"""Measurements from files, in the range that is meant."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore import operators
from jaxrestore.errors import InputError, RangeWarning
from jaxrestore.files.inputs import read_measurement
from jaxrestore.files.ranges import as_measurement, check_restorable

RNG = np.random.default_rng(0)
BRIGHTNESS = RNG.random((16, 16, 3))


def test_measurements_in_units_of_brightness(tmp_path):
    """What another program made of an image in [0, 1]."""
    brightness = np.random.default_rng(0).random((16, 16, 3))
    image = jax.numpy.asarray(2 * brightness - 1, np.float32)
    tomograph = operators.ParallelBeam(4)
    np.save(tmp_path / "sinogram.npy", tomograph(jax.numpy.asarray(brightness, np.float32)))
    y = read_measurement(tmp_path / "sinogram.npy", tomograph, (16, 16, 3))
    np.testing.assert_allclose(y, tomograph(image), atol=1e-4)
    np.save(tmp_path / "blurred.npy", brightness)
    y = read_measurement(tmp_path / "blurred.npy", operators.Identity(), (16, 16, 3))
    np.testing.assert_allclose(y, image, atol=1e-6)
    np.save(tmp_path / "grey.npy", brightness[..., 0])  # one channel for all
    assert read_measurement(tmp_path / "grey.npy", operators.Grayscale(), (16, 16, 3)).shape == (16, 16, 1)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        ((255 * BRIGHTNESS).astype(np.uint8), "holds uint8, and brightness from 0 to 1 is meant, as floats: divide"),
        ((255 * BRIGHTNESS).astype(np.int64), "holds int64"),
        (255 * BRIGHTNESS, r"holds values from .* to 25.*, and brightness from 0 to 1 is meant: divide 0\.\.255"),
        (np.kron(np.sign(RNG.normal(size=(2, 2, 3))), np.ones((8, 8, 1))), r"this looks like \[-1, 1\]"),
    ],
)
def test_other_ranges_are_refused_with_the_one_that_is_meant(tmp_path, array, sentence):
    np.save(tmp_path / "y.npy", array)
    with pytest.raises(InputError, match=sentence):
        read_measurement(tmp_path / "y.npy", operators.Identity(), (16, 16, 3))


def test_noise_leaves_the_range_and_is_taken(tmp_path):
    for level, sigma in ((0.0, 0.4), (0.5, 0.4), (1.0, 0.4)):
        noisy = level + RNG.normal(0, sigma, (16, 16, 3))
        assert noisy.min() < 0 or noisy.max() > 1.5
        np.save(tmp_path / "y.npy", noisy)
        y = read_measurement(tmp_path / "y.npy", operators.Identity(), (16, 16, 3))
        np.testing.assert_allclose(y, 2 * noisy - 1, atol=1e-5)


def test_sums_along_rays_have_a_range_of_their_own(tmp_path):
    tomograph = operators.ParallelBeam(4)
    sums = np.asarray(tomograph(jnp.asarray(BRIGHTNESS, jnp.float32)))
    assert sums.max() > 4
    np.save(tmp_path / "y.npy", sums + RNG.normal(0, 0.4, sums.shape))
    assert read_measurement(tmp_path / "y.npy", tomograph, (16, 16, 3)).shape == sums.shape
    np.save(tmp_path / "y.npy", 255 * sums)
    with pytest.raises(InputError, match="sums of brightness from 0 to 1 are meant"):
        read_measurement(tmp_path / "y.npy", tomograph, (16, 16, 3))


def test_what_restore_is_given_is_in_its_range_or_refused():
    identity, shape = operators.Identity(), (16, 16, 3)
    image = jnp.asarray(2 * BRIGHTNESS - 1, jnp.float32)[None]
    check_restorable(identity, image, shape)
    check_restorable(identity, 2 * image, shape)  # of noise
    check_restorable(lambda x: 300 * x, 300 * image, shape)  # of an operator of the caller's own
    check_restorable(operators.ParallelBeam(4), 1000 * jnp.ones((1, 16, 4, 3)), shape)
    check_restorable(operators.ParallelBeam(4), jnp.ones((1, 16, 4, 3), int), shape)
    for wrong, sentence in (
        (255 * BRIGHTNESS, r"from .* to 25.*, and \[-1, 1\] is meant: y / 127\.5 - 1 of 0\.\.255"),
        ((255 * BRIGHTNESS).astype(np.uint8), "an array of uint8: floats"),
    ):
        with pytest.raises(InputError, match=sentence):
            check_restorable(identity, jnp.asarray(wrong)[None], shape)
    with pytest.warns(RangeWarning, match=r"lie in \[0, 1\]"):
        check_restorable(identity, jnp.asarray(BRIGHTNESS, jnp.float32)[None], shape)
    known = np.ones((16, 16), np.float32)
    known[:, :8] = 0
    bright = operators.Mask(known)(0.1 + 0 * image)  # missing pixels are zero, and say nothing
    check_restorable(operators.Mask(known), bright, shape)


def test_whatever_numpy_makes_an_array_of_is_a_measurement():
    for given in (BRIGHTNESS.tolist(), [BRIGHTNESS, BRIGHTNESS], jnp.asarray(BRIGHTNESS)):
        assert isinstance(as_measurement(given), jax.Array)
    for wrong, sentence in (
        ("noisy.png", "is a str of"),
        (None, "is a NoneType of object"),
        ([[1.0], [1.0, 2.0]], "is a list of which there is no array"),
        (BRIGHTNESS + 1j, "of complex128"),
    ):
        with pytest.raises(InputError, match=sentence):
            as_measurement(wrong)
