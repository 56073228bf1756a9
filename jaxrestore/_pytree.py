"""Frozen dataclasses as pytrees: validated where a person makes one, rebuilt unchecked where JAX does.

`jax.tree_util.register_dataclass` (jax 0.10) makes structures that compare equal for different types with as many leaves, as
those of `Identity()` and `Grayscale()`: a program compiled for one may then be taken for the other. And it rebuilds a node by
its constructor, which then can't check what it is given, since JAX puts placeholders where arrays were.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeVar

import jax
from jax.core import Tracer

from jaxrestore._brief import brief_dataclass, prints_itself

T = TypeVar("T")


def register(cls: type[T]) -> type[T]:
    """Make a dataclass a pytree: fields with ``metadata={"static": True}`` are part of the structure, all others are leaves.

    Structures of different classes differ, leaves have the names of their fields, and JAX rebuilds a node without calling
    ``__init__`` or ``__post_init__``: these run where somebody writes ``Gain(2.0)``, and may validate. It is printed with the
    shapes of its arrays, unless it has a ``__repr__`` of its own.

    >>> import jax, jaxrestore
    >>> from dataclasses import dataclass
    >>> @jaxrestore.register
    ... @dataclass(frozen=True)
    ... class Gain:
    ...     factor: float
    ...     def __call__(self, image):
    ...         return self.factor * image
    >>> jax.tree.map(lambda leaf: 2 * leaf, Gain(2.0))
    Gain(factor=4.0)
    """
    fields: tuple[dataclasses.Field, ...] = dataclasses.fields(cls)  # type: ignore[arg-type]
    if not prints_itself(cls):
        cls.__repr__ = brief_dataclass  # type: ignore[method-assign]
    static = tuple(field.name for field in fields if field.metadata.get("static"))
    leaves = tuple(field.name for field in fields if not field.metadata.get("static"))

    def flatten(node: T) -> tuple[tuple, tuple]:
        return tuple(getattr(node, name) for name in leaves), tuple(getattr(node, name) for name in static)

    def flatten_with_keys(node: T) -> tuple[tuple, tuple]:
        children, about = flatten(node)
        return tuple((jax.tree_util.GetAttrKey(name), leaf) for name, leaf in zip(leaves, children, strict=True)), about

    def unflatten(about: tuple, children: Iterable) -> T:
        return assign(object.__new__(cls), **dict(zip(static + leaves, (*about, *children), strict=True)))

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls


def replaced(node: T, **changes: Any) -> T:
    """A copy of a dataclass with fields changed, its constructor not called: `dataclasses.replace` for one whose constructor
    takes other things than its fields, or validates. Nothing is checked but that there are such fields: TypeError if not.

    >>> import jaxrestore
    >>> kernel = jaxrestore.GaussianKernel(3, (1.0, 1.0))
    >>> replaced(kernel, unknown=("angle",)).unknown
    ('angle',)
    """
    fields = {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}  # type: ignore[arg-type]
    foreign = changes.keys() - fields.keys()
    if foreign:
        raise TypeError(
            f"{type(node).__name__} has no field {', '.join(sorted(foreign))}; it has: {', '.join(fields)}."
        )
    return assign(object.__new__(type(node)), **{**fields, **changes})


def assign(node: T, **fields: Any) -> T:
    """The frozen node itself, its fields set: for constructors, in the place of ``self.field = value``."""
    for name, value in fields.items():
        object.__setattr__(node, name, value)
    return node


def is_traced(*values: Any) -> bool:
    """Whether any of the values, or a leaf in them, is being traced by jit, vmap or grad: then nobody knows its number,
    and a constructor leaves out the checks that would have to look at it."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))
