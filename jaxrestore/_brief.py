"""How a pytree is printed: on a line, with the shapes of its arrays and the numbers of small ones."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

FEW = 8  # numbers that are printed


def brief(value: Any) -> str:
    """A value as text: an array by its type and shape, or its numbers where they are few; a dict by how many it holds; of a
    tuple every part; anything else as Python does.

    >>> brief(np.zeros((8, 8, 3), np.float32)), brief(np.float32([1.5, 2])), brief({"a": np.ones(5), "b": np.ones(20)})
    ('float32[8,8,3]', '[1.5 2. ]', '{2 arrays, 25 numbers}')
    """
    if isinstance(value, jax.Array | np.ndarray):
        return _array(value)
    if isinstance(value, dict | list):
        sizes = [np.size(leaf) for leaf in jax.tree.leaves(value) if isinstance(leaf, jax.Array | np.ndarray)]
        return f"{{{len(sizes)} arrays, {sum(sizes):,} numbers}}" if sizes else repr(value)
    if type(value) is tuple and value:
        return f"({', '.join(map(brief, value))}{',' * (len(value) == 1)})"
    return repr(value)


def brief_dataclass(self: Any) -> str:
    """The ``__repr__`` of a dataclass by `brief`."""
    shown = (field for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(f'{field.name}={_of(self, field.name)}' for field in shown)})"


def prints_itself(cls: type) -> bool:
    """Whether a dataclass's ``__repr__`` is somebody's own, not the one that dataclasses make."""
    code = getattr(getattr(cls.__repr__, "__wrapped__", cls.__repr__), "__code__", None)
    return code is None or code.co_filename != "<string>"


def _of(owner: Any, name: str) -> str:
    return brief(getattr(owner, name, None))


def _array(array: Any) -> str:
    shape = f"{array.dtype.name if isinstance(array, np.ndarray) else array.dtype}[{','.join(map(str, array.shape))}]"
    if isinstance(array, Tracer) or array.size > FEW or array.ndim > 1 or not _is_numbers(array):
        return shape
    return np.array2string(np.asarray(array), precision=6, separator=" ")


def _is_numbers(array: Any) -> bool:
    """Whether its numbers can be had: those of a key, of one that was donated or lies on another machine, can't."""
    gone = isinstance(array, jax.Array) and (array.is_deleted() or not array.is_fully_addressable)
    return not gone and array.dtype != object and not jnp.issubdtype(array.dtype, jax.dtypes.extended)
