"""Weights of eight or sixteen bits as a file has them: they stay so on disk, and are numbers again when a prior is loaded.

A card names them with what makes numbers of them: ``"quantised": {"down/0/conv/kernel": ["uint8", scale, minimum], ...}``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

TYPES = ("uint8", "uint16")


@dataclass(frozen=True, eq=False)
class Quantised:
    """Numbers ``raw * scale + minimum``, in the place of a parameter that is only to be stored: a leaf, and no array.

    >>> Quantised(np.array([[0, 255]], np.uint8), 0.5, -1.0).values()
    array([[ -1. , 126.5]], dtype=float32)
    """

    raw: np.ndarray  # of one of `TYPES`
    scale: float
    minimum: float

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.raw.size

    def values(self) -> np.ndarray:
        """The numbers: in float64 and rounded once to float32, as TensorFlow.js does; a piece at a time, for the memory."""
        flat, piece = self.raw.reshape(-1), 2**16
        numbers = np.empty(flat.shape, np.float32)
        with np.errstate(over="ignore"):
            for at in range(0, flat.size, piece):
                numbers[at : at + piece] = flat[at : at + piece].astype(np.float64) * self.scale + self.minimum
        return numbers.reshape(self.raw.shape)

    def is_finite(self) -> bool:
        """Whether all of the numbers are: those of the least and the largest."""
        ends = np.array([self.raw.min(), self.raw.max()]) if self.raw.size else self.raw
        return bool(np.all(np.isfinite(Quantised(ends, self.scale, self.minimum).values())))


def rearranged(numbers: np.ndarray | Quantised, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray | Quantised:
    """`function` of an array, or of raw numbers: one that moves them, and changes none."""
    if isinstance(numbers, Quantised):
        return replace(numbers, raw=function(numbers.raw))
    return function(numbers)


def raw_numbers(parameters: Any) -> tuple[Any, dict[str, list]]:
    """(the parameters as NumPy arrays, what is quantised among them for the card)."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(parameters)
    said = {
        named(path): [str(leaf.raw.dtype), leaf.scale, leaf.minimum]
        for path, leaf in leaves
        if isinstance(leaf, Quantised)
    }
    arrays = [leaf.raw if isinstance(leaf, Quantised) else np.asarray(leaf) for _, leaf in leaves]
    return jax.tree.unflatten(structure, arrays), said


def stored_types(shapes: Any, said: Mapping[str, list]) -> Any:
    """The type of each parameter on disk, of their shapes and a card's `quantised`."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: said.get(named(path), [leaf.dtype])[0], shapes)


def unknown_names(shapes: Any, said: Mapping[str, list]) -> list[str]:
    """The names in a card's `quantised` that are no parameter's."""
    return sorted(said.keys() - {named(path) for path, _ in jax.tree_util.tree_leaves_with_path(shapes)})


def numbers_of(arrays: Any, said: Mapping[str, list]) -> Any:
    """The parameters of what was on disk, by a card's `quantised`."""
    return jax.tree_util.tree_map_with_path(
        lambda path, array: Quantised(array, *said[named(path)][1:]).values() if named(path) in said else array, arrays
    )


def named(path: tuple) -> str:
    """The name of a parameter in a card."""
    return "/".join(part.key for part in path)
