"""Blur kernels from every kind of file."""

import gc
import warnings

import numpy as np
import pytest
from hypothesis import given, strategies
from PIL import Image
from scipy.io import savemat

from jaxrestore.errors import InputError, InputWarning
from jaxrestore.files.kernels import read_kernel

KERNEL = np.array([[0, 100, 0], [20, 200, 255], [0, 0, 40]], np.uint8)


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


def test_a_kernel_of_many_is_named(tmp_path):
    np.savez(tmp_path / "eight.npz", k0=np.ones((3, 3)), k1=np.eye(5))
    np.testing.assert_allclose(read_kernel(tmp_path / "eight.npz:k1", (64, 64)), np.eye(5) / 5)
    with pytest.raises(InputError, match=r"say which, .*NAME of k0, k1"):
        read_kernel(tmp_path / "eight.npz", (64, 64))
    with pytest.raises(InputError, match="NAME of k0, k1"):
        read_kernel(tmp_path / "eight.npz:k2", (64, 64))
    savemat(tmp_path / "levin.mat", {"x": np.ones((64, 64)), "f": np.eye(5)})
    np.testing.assert_allclose(read_kernel(tmp_path / "levin.mat:f", (64, 64)), np.eye(5) / 5)
    with pytest.raises(InputError, match=r"say which, .*levin\.mat:NAME with NAME of x, f"):
        read_kernel(tmp_path / "levin.mat", (64, 64))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("k.txt", "0 100 0\n20\t200 255\n\n# the last\n0 0 40\n"),
        ("k.csv", "\ufeff0,100,0\n20,200,255\n0,0,40"),
        ("k.csv", "0;10,0;0\n2,0;20,0;25,5\n0;0;4"),
    ],
)
def test_tables_in_text(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    np.testing.assert_allclose(read_kernel(tmp_path / name, (64, 64)), KERNEL / KERNEL.sum(), rtol=1e-5)


def test_what_cannot_be_read_is_a_sentence(tmp_path):
    (tmp_path / "k.csv").write_text("1,2,3\n1,2")
    with pytest.raises(InputError, match=r"k\.csv can't be read: its rows are not of one length"):
        read_kernel(tmp_path / "k.csv", (64, 64))
    (tmp_path / "k.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    with pytest.raises(InputError, match=r"of version 7\.3: save it with -v7"):
        read_kernel(tmp_path / "k.mat", (64, 64))
    (tmp_path / "k.xlsx").write_text("no image")
    with pytest.raises(InputError, match=r"A kernel is read from \.npy, \.npz, \.mat, \.csv, \.txt or a grey image"):
        read_kernel(tmp_path / "k.xlsx", (64, 64))


def test_painted_kernels_are_what_was_painted(tmp_path):
    flat = np.full((3, 3), 255, np.uint8)
    drawn = {
        "grey on black": Image.fromarray(KERNEL),
        "white on transparency": Image.fromarray(np.dstack([flat] * 3 + [KERNEL])),
        "black on transparency": Image.fromarray(np.dstack([0 * flat] * 3 + [KERNEL])),
        "grey and alpha": Image.fromarray(np.dstack([KERNEL] * 3 + [flat])),
        "numbers": Image.fromarray(KERNEL.astype(np.float32) / 1000),
    }
    for name, image in drawn.items():
        image.save(tmp_path / "k.tif")
        np.testing.assert_allclose(
            read_kernel(tmp_path / "k.tif", (64, 64)), KERNEL / KERNEL.sum(), rtol=1e-5, err_msg=name
        )


def test_black_on_white_is_asked_about(tmp_path):
    page = np.full((9, 9), 255, np.uint8)
    page[3:6, 4] = 0
    Image.fromarray(page).save(tmp_path / "k.png")
    with pytest.warns(InputWarning, match="brightest along its border"):
        read_kernel(tmp_path / "k.png", (64, 64))
    Image.new("L", (9, 9), 255).save(tmp_path / "box.png")
    np.testing.assert_allclose(read_kernel(tmp_path / "box.png", (64, 64)), 1 / 81, rtol=1e-5)


@pytest.mark.parametrize("name", ["k.npz", "k.npy", "k.mat"])
def test_damaged_files_are_closed(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        (tmp_path / name).write_bytes(b"PK\x03\x04 no archive")
        with pytest.raises(InputError, match="can't be read"):
            read_kernel(tmp_path / name, (64, 64))
        gc.collect()


@given(data=strategies.binary(max_size=200), suffix=strategies.sampled_from([".npy", ".npz"]))
def test_damaged_arrays_get_a_sentence(tmp_path_factory, data, suffix):
    path = tmp_path_factory.mktemp("damaged") / f"k{suffix}"
    path.write_bytes((b"\x93NUMPY\x01\x00" if suffix == ".npy" else b"PK\x03\x04") + data)
    with pytest.raises(InputError) as caught:
        read_kernel(path, (64, 64))
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
