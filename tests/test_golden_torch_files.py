"""The torch-free reader against the values that PyTorch wrote."""

import zipfile

import numpy as np
import pytest
from golden_files import FOLDER, arrays

from checkpoints_convert import read_torch

FILES = sorted(
    path for path in (FOLDER / "torch_files").iterdir() if zipfile.is_zipfile(path) and path.suffix != ".npz"
)


def state_dicts(content):
    """Every dict of arrays in nested containers."""
    if isinstance(content, dict) and content and all(isinstance(value, np.ndarray) for value in content.values()):
        yield content
    elif isinstance(content, dict | list | tuple):
        for part in content.values() if isinstance(content, dict) else content:
            yield from state_dicts(part)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_values(path):
    expected = arrays("torch_files", "expected.npz")
    found = list(state_dicts(read_torch(path)))
    assert found
    for tensors in found:
        assert {name.removeprefix("module.") for name in tensors} == set(expected)
        for name, array in tensors.items():
            wanted = expected[name.removeprefix("module.")]
            assert array.shape == wanted.shape
            np.testing.assert_array_equal(array.astype(wanted.dtype), wanted)
