"""Names and axes of PyTorch -> parameters of our networks.

The paths are the same, torch's `down.0.block.1.conv1.weight` being our `down/0/block/1/conv1/kernel`; what differs is the
name of the last part and the order of the axes.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from checkpoints_convert.tensors import ConversionError
from jaxrestore.diffusion.quantised import Quantised, rearranged

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

    `dtype` "source" keeps what a file has in 8 or 16 bits: arrays of half precision, and `Quantised`, which are only for
    storing. One tensor at a time: the memory needed is that of the result.
    """
    check(tensors, network)
    parameters: dict = {}
    wrong = []
    for path, leaf in paths(network.shapes()):
        name, is_kernel = torch_name(path), path[-1] == "kernel"
        tensor, axes = tensors[name], len(leaf.shape)
        numbers = tensor.kept() if dtype == "source" and tensor.kept else tensor.read()
        numbers = rearranged(numbers, partial(_transposed, axes=axes) if is_kernel else np.asarray)
        kind = _kind(numbers, dtype)
        with np.errstate(over="ignore"):
            numbers = rearranged(numbers, partial(np.ascontiguousarray, dtype=kind))
        if isinstance(numbers, Quantised):
            is_finite, stored, kind = numbers.is_finite(), numbers, "float32"
        else:
            is_finite, stored = np.all(np.isfinite(numbers)), jnp.asarray(numbers)
        if not is_finite:
            wrong.append(f"not finite as {kind}: {name}")
        branch = parameters
        for part in path[:-1]:
            branch = branch.setdefault(part, {})
        branch[path[-1]] = stored
    _raise(wrong)
    return parameters


def _kind(numbers: np.ndarray | Quantised, dtype: Any) -> np.dtype:
    """The element type in which numbers are kept."""
    if dtype != "source":
        return jnp.dtype(dtype)
    if isinstance(numbers, Quantised):
        return numbers.raw.dtype
    return numbers.dtype if numbers.dtype.itemsize == 2 else np.dtype(np.float32)


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


def _transposed(array: np.ndarray, axes: int) -> np.ndarray:
    """Convolutions (out, in, row, column) -> (row, column, in, out); matrices to (in, out)."""
    array = array if array.ndim == axes else array.reshape(_squeezed(array.shape))
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
