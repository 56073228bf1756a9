"""Files of arrays that would fill the memory are refused before they do."""

import numpy as np
import pytest
from scipy.io import savemat

import jaxrestore as jr
from jaxrestore.files import expanding
from jaxrestore.files.arrays import read_array

ZEROS = np.zeros((300, 300))


def saved(folder):
    np.savez_compressed(folder / "a.npz", a=ZEROS)
    savemat(folder / "a.mat", {"a": ZEROS, "b": np.ones(3)}, do_compression=True)
    savemat(folder / "plain.mat", {"a": ZEROS})
    return {name: folder / name for name in ("a.npz", "a.mat", "plain.mat")}


def test_what_is_small_is_read(tmp_path):
    files = saved(tmp_path)
    for name in ("a.npz", "a.mat:a", "plain.mat"):
        np.testing.assert_array_equal(read_array(tmp_path / name), ZEROS)
    assert ZEROS.nbytes < expanding._of_matlab(files["a.mat"].read_bytes()) < ZEROS.nbytes + 1000


@pytest.mark.parametrize("name", ["a.npz", "a.mat"])
def test_what_is_large_when_unpacked_is_refused(tmp_path, monkeypatch, name):
    file = saved(tmp_path)[name]
    assert file.stat().st_size < 10_000
    monkeypatch.setattr(expanding, "LARGEST", 2**19)
    monkeypatch.setattr(expanding, "PIECE", 2**16)
    with pytest.raises(jr.InputError, match="would fill more than 0 MiB when it is unpacked"):
        read_array(file)


@pytest.mark.parametrize("cut", [0, 5, 126, 130, 200])
def test_a_matlab_file_that_is_cut_says_that_it_cannot_be_read(tmp_path, cut):
    file = saved(tmp_path)["a.mat"]
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(jr.InputError, match="can't be read"):
        read_array(file)
