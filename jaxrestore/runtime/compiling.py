"""How programs are compiled: with options of XLA under which the networks' convolutions use every core of a CPU."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import jax

# jaxlib 0.10 hands convolutions to a library that runs those of less than 128 output channels on one thread; the routine
# of before runs them on all. Products may stay where they are. On two cores an unroll of flowers64 takes a third less time.
_FUSIONS = ("xla_cpu_experimental_ynn_fusion_type", "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT")


def compiler_options() -> dict[str, str]:
    """What to give `jax.jit(..., compiler_options=...)` of an outermost program of your own: the driver's programs have it.

    Empty on accelerators, for a jaxlib that doesn't know the options, and where XLA_FLAGS says otherwise. Not for jit: it
    compiles a trifle to find out.
    """
    return dict([_FUSIONS]) if _helps(jax.default_backend()) else {}


@cache
def _helps(backend: str) -> bool:
    if backend != "cpu" or _FUSIONS[0] in os.environ.get("XLA_FLAGS", ""):
        return False
    try:
        jax.jit(lambda: 0, compiler_options=dict([_FUSIONS])).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def outermost(function: Callable, **settings: Any) -> Callable:
    """`jax.jit` with these options, made when it is first called. Not for a function that another program calls."""

    @cache
    def program() -> Callable:
        return jax.jit(function, compiler_options=compiler_options(), **settings)

    def call(*arguments: Any) -> Any:
        return program()(*arguments)

    return call
