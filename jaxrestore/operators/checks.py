"""Checks that several constructors make."""

from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxrestore._pytree import is_traced
from jaxrestore.errors import InputError

Number = float | int | np.number | Array
Pair = Sequence[Number] | np.ndarray | Array


def holds(condition: Callable[[np.ndarray], Any], *values: ArrayLike | Sequence[Number]) -> bool:
    """Whether a condition holds of all numbers of all values; of traced ones nobody knows, and none is broken.

    >>> holds(np.isfinite, (1.0, 2.0), np.nan)
    False
    """
    return all(is_traced(value) or bool(np.all(condition(np.asarray(value)))) for value in values)


def check_word(name: str, word: str, words: Any) -> None:
    """InputError unless the word is one of a Literal's.

    >>> from typing import Literal
    >>> check_word("boundary", "none", Literal["zero", "reflect"])
    Traceback (most recent call last):
    jaxrestore.errors.InputError: Unknown boundary 'none'; known: zero, reflect.
    """
    if word not in get_args(words):
        raise InputError(f"Unknown {name} {word!r}; known: {', '.join(get_args(words))}.")


def check_size(size: int) -> None:
    """InputError unless a kernel of that size has a centre.

    >>> check_size(5)
    """
    if size < 1 or size % 2 == 0:
        raise InputError(f"A kernel's size must be odd and at least 1, not {size}: it needs a centre.")
