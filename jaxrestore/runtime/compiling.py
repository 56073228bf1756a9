"""How programs are compiled: with an option of XLA under which a CPU uses every core, and a GPU launches kernels together."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import jax

_OPTIONS = {
    # jaxlib 0.10 hands convolutions to a library that runs those of less than 128 output channels on one thread; the
    # routine of before runs them on all. Products may stay where they are. An unroll of flowers64 takes a third less time on
    # two cores.
    "cpu": ("xla_cpu_experimental_ynn_fusion_type", "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"),
    # Kernels between two convolutions become one launch, however few they are: 5 to 16 % less time for flowers64 on an H200,
    # where a launch takes longer than most of its kernels.
    "gpu": ("xla_gpu_graph_min_graph_size", "1"),
}


def compiler_options() -> dict[str, str]:
    """What to give `jax.jit(..., compiler_options=...)` of an outermost program of your own: the driver's programs have it.

    Empty on other devices, for a jaxlib that doesn't know the option, and where XLA_FLAGS says otherwise. Not for jit: it
    compiles a trifle to find out.
    """
    option = _OPTIONS.get(jax.default_backend())
    return dict([option]) if option is not None and _known(*option) else {}


@cache
def _known(name: str, value: str) -> bool:
    if name in os.environ.get("XLA_FLAGS", ""):
        return False
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
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
