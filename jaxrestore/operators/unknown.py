"""Which leaves of an operator are unknown: declaring them, and splitting and joining the operator by it.

A node of an operator declares its unknown fields with an attribute ``unknown``, a tuple of field names, on the class or on
the instance. What stands under such a field is optimised in a blind problem; everything else (masks, given kernels,
integers) never meets a derivative. A node without the attribute is known.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxrestore.errors import InputError

Unknown = bool | tuple[str, ...]  # all fields that can be, none, or those of these names


def unknown_fields(owner: type, unknown: Unknown, fields: tuple[str, ...]) -> tuple[str, ...]:
    """What a constructor's `unknown` means, of the `fields` that can be; InputError for a name that is not among them.

    >>> unknown_fields(object, True, ("angle", "offset")), unknown_fields(object, ("angle",), ("angle", "offset"))
    (('angle', 'offset'), ('angle',))
    """
    if isinstance(unknown, bool):
        return fields if unknown else ()
    if isinstance(unknown, str) or not set(unknown) <= set(fields):
        raise InputError(
            f"What is unknown of a {owner.__name__} must be True, False, or a tuple of names among "
            f"{', '.join(fields)}, not {unknown!r}."
        )
    return tuple(unknown)


def partition(operator: PyTree) -> tuple[PyTree, PyTree]:
    """(unknown, known): two copies of the operator, each with None where the other has its leaves. See `combine`.

    InputError where an unknown leaf is not of a floating-point type, and for a declaration that names no field.

    >>> from jaxrestore.operators import GaussianKernel
    >>> unknown, known = partition(GaussianKernel(5, unknown=("angle",)))
    >>> len(jax.tree.leaves(unknown)), len(jax.tree.leaves(known))
    (1, 2)
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(operator)
    unknown, known = [], []
    for path, leaf in leaves:
        free = _is_unknown(operator, path)
        if free and not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            name = jax.tree_util.keystr(path)
            raise InputError(
                f"The operator's leaf {name} is declared unknown, but is {jnp.result_type(leaf)}, not a float."
            )
        unknown.append(leaf if free else None)
        known.append(None if free else leaf)
    return jax.tree.unflatten(structure, unknown), jax.tree.unflatten(structure, known)


def combine(unknown: PyTree, known: PyTree) -> PyTree:
    """The operator whose leaves were split by `partition`.

    >>> from jaxrestore.operators import SoftmaxKernel
    >>> combine(*partition(SoftmaxKernel(3)))().shape
    (3, 3)
    """
    return jax.tree.map(lambda a, b: b if a is None else a, unknown, known, is_leaf=lambda leaf: leaf is None)


def is_blind(operator: PyTree) -> bool:
    """True where the operator has unknown leaves.

    >>> from jaxrestore.operators import Jpeg
    >>> is_blind(Jpeg(30)), is_blind(Jpeg(30, unknown=True))
    (False, True)
    """
    return bool(jax.tree.leaves(partition(operator)[0]))


def _is_unknown(operator: PyTree, path: tuple[Any, ...]) -> bool:
    """Whether a node on the way to a leaf declares the field that leads on to it."""
    node = operator
    for key in path:
        declared = getattr(node, "unknown", ())
        if isinstance(declared, str) or not all(hasattr(node, name) for name in declared):
            raise InputError(f"{type(node).__name__}.unknown must be a tuple of its fields' names, not {declared!r}.")
        name = getattr(key, "name", getattr(key, "key", getattr(key, "idx", None)))
        if name in declared:
            return True
        if isinstance(key, jax.tree_util.GetAttrKey):
            node = getattr(node, key.name)
        elif isinstance(key, jax.tree_util.DictKey | jax.tree_util.SequenceKey):
            node = node[name]
        elif declared:
            raise InputError(f"{type(node).__name__} is a pytree without names of its fields: use jaxrestore.register.")
        else:  # a node without names of its fields: nothing below it can be declared
            return False
    return False
