"""Tensors of a user's file, by their names and shapes: for networks that only measure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxrestore.errors import InputError


def read_tensors(path: str | Path) -> Mapping[str, Any]:
    """The tensors of a torch or safetensors file by name, each read when it is taken; InputError for other content."""
    from checkpoints_convert import Tensor, read

    content = read(path)
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path} doesn't hold a network's tensors by name.")
    return content


def taken(tensors: Mapping[str, Any], name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """The named tensor (`checkpoints_convert.Tensor`, or an array) as float32; InputError unless it has this shape, where
    None is any side."""
    if name not in tensors:
        raise InputError(f"The file has no tensor {name}; it begins with {', '.join(list(tensors)[:3])}.")
    tensor = tensors[name]
    array = np.asarray(tensor.read() if hasattr(tensor, "read") else tensor, np.float32)
    if array.ndim != len(shape) or any(
        side not in (None, actual) for side, actual in zip(shape, array.shape, strict=True)
    ):
        raise InputError(f"The tensor {name} has shape {array.shape}: it should be {shape}.")
    return array
