"""The torch-free reader against the values that PyTorch wrote."""

from collections.abc import Mapping

import numpy as np
import pytest
from golden_files import FOLDER, arrays

from checkpoints_convert import Tensor, read_torch

FILES = sorted(path for path in (FOLDER / "torch_files").iterdir() if path.suffix != ".npz")


def state_dicts(content):
    """Every dict of tensors in nested containers."""
    if isinstance(content, Mapping) and content and all(type(value) is Tensor for value in content.values()):
        yield content
    elif isinstance(content, dict | list | tuple) and type(content) is not Tensor:
        for part in content.values() if isinstance(content, dict) else content:
            yield from state_dicts(part)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_values(path):
    expected = arrays("torch_files", "expected.npz")
    found = list(state_dicts(read_torch(path)))
    assert found
    for tensors in found:
        assert {name.removeprefix("module.") for name in tensors} == set(expected)
        for name, tensor in tensors.items():
            wanted = expected[name.removeprefix("module.")]
            array = tensor.read()
            assert array.shape == tensor.shape == wanted.shape
            assert array.dtype == tensor.dtype
            np.testing.assert_array_equal(array.astype(wanted.dtype), wanted)
