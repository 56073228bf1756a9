"""A convolution whose derivative is as fast as itself on a CPU."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def convolution(x: Float[Array, "b h w i"], kernel: Float[Array, "kh kw i o"], *given: Any, **named: Any) -> Array:
    """`jax.lax.conv_general_dilated` of one group, channels last, for `nnx.Conv`; its derivatives of any kind are the same.

    Transposed by JAX, a convolution has the kernel's channels exchanged by a label alone. XLA's CPU backend calls its fast
    routine for one labelling only, and within a loop (an unroll is one) it doesn't bring others to it: five times slower.
    So the tangent is written with exchanged channels, which its transpose brings back to where they belong.
    """

    @jax.custom_jvp
    def plain(x: Array, kernel: Array) -> Array:
        return jax.lax.conv_general_dilated(x, kernel, *given, **named)

    @partial(plain.defjvp, symbolic_zeros=True)
    def tangent(primals: Any, tangents: Any) -> tuple[Array, Array]:
        (x, kernel), (dx, dkernel) = primals, tangents
        parts = []
        if not isinstance(dx, jax.custom_derivatives.SymbolicZero):
            numbers = named["dimension_numbers"]
            kh_kw, (o, i) = numbers.rhs_spec[2:], numbers.rhs_spec[:2]
            exchanged = numbers._replace(rhs_spec=(i, o, *kh_kw))
            swapped = jnp.swapaxes(kernel, o, i)
            parts.append(jax.lax.conv_general_dilated(dx, swapped, *given, **{**named, "dimension_numbers": exchanged}))
        if not isinstance(dkernel, jax.custom_derivatives.SymbolicZero):
            parts.append(jax.lax.conv_general_dilated(x, dkernel, *given, **named))
        return plain(x, kernel), sum(parts[1:], parts[0])

    return plain(x, kernel)
