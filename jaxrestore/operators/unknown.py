"""Which leaves of an operator are unknown: declaring, splitting and joining them; and the adjoint of a linear operator.

An operator is any pytree that can be called with an image. A node of it declares its unknown fields with an attribute
``unknown``, a tuple of field names, on the class or on the instance. What stands under such a field is optimised in a blind
problem; everything else (masks, given kernels, integers) never meets a derivative. A node without the attribute is known.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree


def _is_unknown(operator: PyTree, path: tuple) -> bool:
    node = operator
    for key in path:
        declared = getattr(node, "unknown", ())
        if isinstance(declared, str) or not all(hasattr(node, name) for name in declared):
            raise ValueError(f"{type(node).__name__}.unknown must be a tuple of its fields' names, not {declared!r}.")
        name = getattr(key, "name", getattr(key, "key", getattr(key, "idx", None)))
        if name in declared:
            return True
        if isinstance(key, jax.tree_util.GetAttrKey):
            node = getattr(node, key.name)
        elif isinstance(key, jax.tree_util.DictKey | jax.tree_util.SequenceKey):
            node = node[name]
        elif declared:
            raise ValueError(
                f"{type(node).__name__} is registered without names of its fields: use register_dataclass."
            )
        else:  # a node registered without keys: nothing below it can be named
            return False
    return False


def partition(operator: PyTree) -> tuple[PyTree, PyTree]:
    """(unknown, known): two copies of the operator, each with None where the other has its leaves. See `combine`.

    ValueError where an unknown leaf is not of a floating-point type.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(operator)
    unknown, known = [], []
    for path, leaf in leaves:
        free = _is_unknown(operator, path)
        if free and not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            name = jax.tree_util.keystr(path)
            raise ValueError(
                f"The operator's leaf {name} is declared unknown, but is {jnp.result_type(leaf)}, not a float."
            )
        unknown.append(leaf if free else None)
        known.append(None if free else leaf)
    return jax.tree.unflatten(structure, unknown), jax.tree.unflatten(structure, known)


def combine(unknown: PyTree, known: PyTree) -> PyTree:
    """The operator whose leaves were split by `partition`."""
    return jax.tree.map(lambda a, b: b if a is None else a, unknown, known, is_leaf=lambda leaf: leaf is None)


def is_blind(operator: PyTree) -> bool:
    """True where the operator has unknown leaves."""
    return bool(jax.tree.leaves(partition(operator)[0]))


def penalty(operator: PyTree) -> Any:
    """What the operator, or a part of a chain, adds to an objective by a method `penalty()`: nothing, for nearly all."""
    own = operator.penalty() if hasattr(operator, "penalty") else 0.0
    return own + sum(penalty(part) for part in getattr(operator, "parts", ()))


def begin(operator: PyTree, y: Array) -> PyTree:
    """The operator with those unknown leaves set that can be read off the measurement itself, by a method `begin(y)` of its
    own or of the last part of a chain; as it is, for nearly all. Pure."""
    if hasattr(operator, "begin"):
        return operator.begin(y)
    parts = getattr(operator, "parts", ())
    return replace(operator, parts=(*parts[:-1], begin(parts[-1], y))) if parts else operator


def adjoint(operator: Callable[[Array], Array], measurement: Array, image_shape: tuple[int, ...]) -> Array:
    """H^T measurement for a linear operator H on images of `image_shape`, exact, by `jax.linear_transpose`.

    An affine or non-linear operator is an error of JAX's own, which names the operation that is not linear.
    """
    image = jax.ShapeDtypeStruct(image_shape, measurement.dtype)
    return jax.linear_transpose(operator, image)(measurement)[0]


def measure_shape(operator: Callable[[Array], Array], image_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the measurement that the operator makes of one image."""
    known: Any = jax.eval_shape(operator, jax.ShapeDtypeStruct(image_shape, jnp.float32))
    return known.shape
