"""Which numbers can be meant, said where a number is declared: a field ``rate: Annotated[float, Range(0, 1)]``."""

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_type_hints

from jaxrestore.errors import InputError

D = TypeVar("D")


class Range(NamedTuple):
    """From `least` to `most`, both included unless `least` is left `out`."""

    least: float | int = -math.inf
    most: float | int = math.inf
    out: bool = False

    def holds(self, number: float | int) -> bool:
        """Whether a number lies within; of infinite ones none does, unless the range names it.

        >>> Range(0).holds(3), Range(0).holds(math.inf), Range(0, math.inf, True).holds(0), Range(0).holds(math.nan)
        (True, False, False, False)
        """
        return self.least <= number <= self.most and not (self.out and number == self.least) and number != math.inf

    def words(self, whole: bool) -> str:
        """As the end of a sentence.

        >>> Range(1, 99).words(True), Range(1).words(True), Range(0, out=True).words(False)
        ('must lie between 1 and 99', 'must be at least 1', 'must be a number above 0')
        """
        if self.least == -math.inf:
            return "must be a finite number"
        if self.most < math.inf:
            return (
                f"must lie {'above' if self.out else 'between'} {self.least:,} and {'up to ' * self.out}{self.most:,}"
            )
        if whole:
            return f"must be at least {self.least}"
        return f"must be a number {'above' if self.out else 'from'} {self.least}{' on' * (not self.out)}"


def check_ranges(values: Any, named: Callable[[str], str] = str) -> None:
    """InputError for a number of a dataclass outside of the range that its field declares; of a tuple each is looked at.

    ``named(field)`` is what the sentence calls it. A number that JAX traces is nobody's to judge; an array isn't looked at.

    >>> from dataclasses import dataclass
    >>> from typing import Annotated
    >>> @dataclass
    ... class Walk:
    ...     rate: Annotated[float, Range(0)] = 0.1
    >>> check_ranges(Walk(math.nan))
    Traceback (most recent call last):
        ...
    jaxrestore.errors.InputError: rate must be a number from 0 on, not nan.
    """
    for name, declared in ranges_of(type(values)).items():
        for number in _numbers(getattr(values, name)):
            if not declared.holds(number):
                raise InputError(f"{named(name)} {declared.words(isinstance(number, int))}, not {number}.")


def ranges_of(cls: type) -> dict[str, Range]:
    """The range of each field that declares one."""
    return declared(cls, Range)


@cache
def declared(cls: type, kind: type[D]) -> dict[str, D]:
    """What each field declares of a kind, of those that do: the first."""
    hints = get_type_hints(cls, include_extras=True)
    found = {name: [part for part in _extras(hint) if isinstance(part, kind)] for name, hint in hints.items()}
    return {name: parts[0] for name, parts in found.items() if parts}


def _extras(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__metadata__", ())


def _numbers(value: Any) -> Iterator[float | int]:
    if isinstance(value, tuple):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, int | float):
        yield value
    elif getattr(value, "ndim", None) == 0:
        try:
            yield float(value)
        except TypeError:  # traced
            return
