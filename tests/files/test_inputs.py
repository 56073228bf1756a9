"""What is read beside photographs: masks, kernels, measurements."""

import jax
import numpy as np
import pytest
from hypothesis import given, strategies
from PIL import Image

from jaxrestore import operators
from jaxrestore.errors import InputError
from jaxrestore.files.inputs import read_measurement
from jaxrestore.files.kernels import read_kernel
from jaxrestore.files.masks import read_mask


def test_a_kernel_has_sum_one_whatever_the_file(tmp_path):
    values = np.array([[0, 300, 0], [20000, 60000, 20000], [0, 300, 0]])
    np.save(tmp_path / "k.npy", values)
    Image.fromarray(values.astype(np.uint16)).save(tmp_path / "k16.png")
    for name in ("k.npy", "k16.png"):
        np.testing.assert_allclose(read_kernel(tmp_path / name, (64, 64)), values / values.sum(), rtol=1e-5)
    Image.fromarray(np.eye(5, dtype=np.uint8) * 200).save(tmp_path / "k8.png")
    np.testing.assert_allclose(read_kernel(tmp_path / "k8.png", (64, 64)), np.eye(5) / 5)
    (tmp_path / "zip.npy").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(InputError, match=r"zip\.npy can't be read"):
        read_kernel(tmp_path / "zip.npy", (64, 64))


def test_a_mask_is_fitted_as_its_image(tmp_path):
    pixels = np.zeros((32, 48), np.uint8)
    pixels[8:24, 16:32] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    known = read_mask(tmp_path / "mask.png", (16, 16), "crop")
    assert known.shape == (16, 16)
    assert known[8, 8] == 0
    assert known[0, 0] == 1
    with pytest.raises(InputError, match="pass --fit crop"):
        read_mask(tmp_path / "mask.png", (16, 16))


def test_a_kernel_of_many_is_named(tmp_path):
    np.savez(tmp_path / "eight.npz", k0=np.ones((3, 3)), k1=np.eye(5))
    np.testing.assert_allclose(read_kernel(tmp_path / "eight.npz:k1", (64, 64)), np.eye(5) / 5)
    with pytest.raises(InputError, match=r"say which, .*NAME of k0, k1"):
        read_kernel(tmp_path / "eight.npz", (64, 64))
    with pytest.raises(InputError, match="NAME of k0, k1"):
        read_kernel(tmp_path / "eight.npz:k2", (64, 64))


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


@given(data=strategies.binary(max_size=200), suffix=strategies.sampled_from([".npy", ".npz"]))
def test_damaged_arrays_get_a_sentence(tmp_path_factory, data, suffix):
    path = tmp_path_factory.mktemp("damaged") / f"k{suffix}"
    path.write_bytes((b"\x93NUMPY\x01\x00" if suffix == ".npy" else b"PK\x03\x04") + data)
    with pytest.raises(InputError) as caught:
        read_kernel(path, (64, 64))
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
