"""What is declared unknown, by our operators and a user's."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore import operators as ops
from jaxrestore.errors import InputError


class Exposure(NamedTuple):
    """A user's own operator."""

    gain: jax.Array
    offset: jax.Array
    unknown = ("gain",)

    def __call__(self, image):
        return self.gain * image + self.offset


def test_partition_splits_what_is_declared_unknown(image):
    blind = ops.Compose(
        (ops.Blur(ops.GaussianKernel(5, (1.0, 2.0), unknown=True)), Exposure(jnp.ones(3), jnp.zeros(3)))
    )
    apply = jax.jit(lambda operator, image: operator(image))
    unknown, known = ops.partition(blind)
    assert [leaf.shape for leaf in jax.tree.leaves(unknown)] == [(2,), (), (2,), (3,)]
    assert [leaf.shape for leaf in jax.tree.leaves(known)] == [(3,)]
    np.testing.assert_array_equal(apply(ops.combine(unknown, known), image), apply(blind, image))
    assert ops.is_blind(blind)
    assert not ops.is_blind(ops.Blur(ops.GaussianKernel(5, (1.0, 2.0))))
    gradient = jax.jit(jax.grad(lambda u: jnp.sum(ops.combine(u, known)(image) ** 2)))(unknown)
    assert all(jnp.all(jnp.isfinite(leaf)) and jnp.any(leaf != 0) for leaf in jax.tree.leaves(gradient))


def test_unknown_integers_are_refused():
    with pytest.raises(InputError, match="not a float"):
        ops.partition(Exposure(jnp.ones(3, jnp.int32), jnp.zeros(3)))


def test_a_declaration_that_names_nothing_is_refused():
    class Misspelt(Exposure):
        unknown = ("gian",)

    class Text(Exposure):
        unknown = "gain"

    @jax.tree_util.register_pytree_node_class
    class Keyless:
        unknown = ("gain",)
        gain = 1.0

        def tree_flatten(self):
            return (self.gain,), None

        @classmethod
        def tree_unflatten(cls, _, leaves):
            return cls()

    for operator in (Misspelt(jnp.ones(3), jnp.zeros(3)), Text(jnp.ones(3), jnp.zeros(3)), Keyless()):
        with pytest.raises(InputError, match=r"must be a tuple of its fields' names|without names"):
            ops.partition(operator)


def test_known_and_unknown_of_every_kind_of_node():
    tree = {"list": [Exposure(jnp.ones(1), jnp.zeros(1))], "number": 3}
    assert len(jax.tree.leaves(ops.partition(tree)[0])) == 1
