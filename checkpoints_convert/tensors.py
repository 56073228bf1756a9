"""A tensor of a file: what is known of it without reading it, and how to read it."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from jaxrestore.errors import InputError


class ReadError(InputError):
    """A file that can't be read; the message names the file and the reason."""


class ConversionError(InputError):
    """Tensors that don't make up a network, or a network that can't be told from them; the message lists what is wrong."""


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Whatever a value that can't be meant raises inside becomes a ConversionError about `what`."""
    try:
        yield
    except (ConversionError, ReadError):
        raise
    except KeyError as error:
        raise ConversionError(f"{what} lacks {error}.") from error
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        raise ConversionError(f"{what} can't be understood: {one_line(error)}.") from error


def one_line(error: BaseException) -> str:
    """An error's text for the end of a sentence."""
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


class Tensor(NamedTuple):
    """Shape and element type, and ``read()``, which gives the NumPy array: nothing is held until then.

    ``kept()``, where the file has other numbers than that: an array of their type, or a `Quantised`.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]
    kept: Callable[[], Any] | None = None


def span(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """How many numbers in a row a tensor reaches over."""
    return 0 if 0 in shape else 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))


class Region(NamedTuple):
    """Numbers that lie in a row in a file: where they begin, of what type, how many."""

    path: Any
    offset: int  # bytes
    dtype: np.dtype
    size: int  # numbers

    def view(self, first: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
        """The tensor of these numbers with the given first element and strides, all counted in numbers. ValueError for one
        that reaches beyond them, or that has more elements than the numbers it spans (so that no file can pretend to be
        larger than it is)."""
        if len(shape) != len(strides) or len(shape) > 32:
            raise ValueError("a tensor has as many strides as sides")
        if any(type(n) is not int or not 0 <= n < 2**63 for n in (first, *shape, *strides)):
            raise ValueError("a tensor's offset, shape and strides must be whole numbers that are not negative")
        if 0 in shape:
            return Tensor(shape, self.dtype, lambda: np.empty(shape, self.dtype))
        count = span(shape, strides)
        if first + count > self.size:
            raise ValueError(f"a tensor of shape {shape} reaches beyond its storage of {self.size} numbers")
        if math.prod(shape) > count:
            raise ValueError(f"a tensor of shape {shape} has more elements than its storage")
        return Tensor(shape, self.dtype, lambda: self._read(first, count, shape, strides))

    def _read(self, first: int, count: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
        start = self.offset + first * self.dtype.itemsize
        numbers = np.fromfile(self.path, self.dtype, count, offset=start)
        if numbers.size != count:
            raise ReadError(f"{self.path} is shorter than it was when it was opened.")
        steps = tuple(step * self.dtype.itemsize for step in strides)
        return np.lib.stride_tricks.as_strided(numbers, shape, steps, writeable=False)
