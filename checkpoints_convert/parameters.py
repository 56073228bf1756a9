"""Names and axes of PyTorch -> parameters of our networks.

The paths are the same, torch's `down.0.block.1.conv1.weight` being our `down/0/block/1/conv1/kernel`; what differs is the
name of the last part and the order of the axes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from checkpoints_convert.tensors import ConversionError

WEIGHTS = {"kernel": "weight", "scale": "weight", "embedding": "weight"}


def torch_name(path: tuple[str, ...]) -> str:
    """The tensor of a parameter's path."""
    return ".".join([*path[:-1], WEIGHTS.get(path[-1], path[-1])])


def paths(tree: Mapping, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, leaf) of a nested dict."""
    for name, branch in tree.items():
        if isinstance(branch, Mapping):
            yield from paths(branch, (*prefix, name))
        else:
            yield (*prefix, name), branch


def check(tensors: Mapping[str, Any], network: Any) -> None:
    """ConversionError unless every tensor is one parameter of the network and the other way round; reads no numbers."""
    wanted = {torch_name(path): (path, leaf.shape) for path, leaf in paths(network.shapes())}
    wrong = [f"missing: {name}" for name in wanted if name not in tensors]
    wrong += [f"not part of this network: {name!r}" for name in tensors if name not in wanted]
    for name, (path, shape) in wanted.items():
        if name not in tensors:
            continue
        found, dtype = tuple(tensors[name].shape), np.dtype(tensors[name].dtype)
        if _converted_shape(found, path[-1]) != shape and _converted_shape(_squeezed(found), path[-1]) != shape:
            wrong.append(f"misshapen: {name} is {found}, and the network's {'/'.join(path)} is {shape}")
        if dtype.kind not in "fV" or dtype.itemsize > 8:  # ml_dtypes' bfloat16 is of kind V
            wrong.append(f"no floating-point numbers: {name} is {dtype}")
    _raise(wrong)


def parameters_from(tensors: Mapping[str, Any], network: Any, dtype: Any = np.float32) -> dict:
    """The nested dict of JAX arrays of the tensors, each read once and used once, or ConversionError lists what is wrong.

    One tensor at a time: the memory needed is that of the result.
    """
    check(tensors, network)
    parameters: dict = {}
    wrong = []
    for path, leaf in paths(network.shapes()):
        name = torch_name(path)
        array = np.asarray(tensors[name].read())
        if path[-1] == "kernel":
            array = _transposed(array if array.ndim == len(leaf.shape) else array.reshape(_squeezed(array.shape)))
        branch = parameters
        for part in path[:-1]:
            branch = branch.setdefault(part, {})
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(array, dtype)
        if not np.all(np.isfinite(array)):
            wrong.append(f"not finite as {np.dtype(dtype)}: {name}")
        branch[path[-1]] = jnp.asarray(array)
    _raise(wrong)
    return parameters


def _raise(wrong: list[str]) -> None:
    if wrong:
        shown = wrong[:30] + [f"and {len(wrong) - 30} more"] * (len(wrong) > 30)
        raise ConversionError(
            f"These tensors don't make up the network ({len(wrong)} faults):\n  " + "\n  ".join(shown)
        )


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A convolution over one pixel is a matrix."""
    return shape[:2] if len(shape) in (3, 4) and set(shape[2:]) == {1} else shape


def _converted_shape(shape: tuple[int, ...], last: str) -> tuple[int, ...]:
    if last != "kernel":
        return shape
    return (*shape[2:], shape[1], shape[0]) if len(shape) == 4 else shape[::-1]


def _transposed(array: np.ndarray) -> np.ndarray:
    """Convolutions (out, in, row, column) -> (row, column, in, out); matrices to (in, out)."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
