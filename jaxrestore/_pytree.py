"""Registering dataclasses as pytrees, so that two types are never taken for one.

`jax.tree_util.register_dataclass` (jax 0.10) makes structures that compare equal for different types with as many leaves, as
those of `Identity()` and `Grayscale()`: a program compiled for one may then be taken for the other.
"""

import dataclasses
from typing import Any, TypeVar

import jax

T = TypeVar("T")


def register(cls: type[T]) -> type[T]:
    """Register a dataclass: fields with ``metadata={"static": True}`` are part of the structure, all others are leaves."""
    fields: Any = dataclasses.fields(cls)  # type: ignore[arg-type]
    static = tuple(field.name for field in fields if field.metadata.get("static"))
    leaves = tuple(field.name for field in fields if not field.metadata.get("static"))

    def flatten(node: Any) -> tuple[tuple, tuple]:
        return tuple(getattr(node, name) for name in leaves), tuple(getattr(node, name) for name in static)

    def flatten_with_keys(node: Any) -> tuple[tuple, tuple]:
        children, about = flatten(node)
        return tuple((jax.tree_util.GetAttrKey(name), leaf) for name, leaf in zip(leaves, children, strict=True)), about

    def unflatten(about: tuple, children: Any) -> Any:
        return cls(**dict(zip(static, about, strict=True)), **dict(zip(leaves, children, strict=True)))

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls
