"""How much of a device's arithmetic a program uses: its operations by the compiler's count, the peak by a measurement."""

import time
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp


def flops(program: Any) -> float:
    """Floating-point operations of a lowered or compiled program (``jax.jit(f).lower(...)``), by XLA's own count.

    The body of a loop counts once. A lowered program is counted as a whole, a compiled one as one device's part. 0 where
    the backend doesn't say.
    """
    analysis = program.cost_analysis() or {}
    return float((analysis[0] if isinstance(analysis, list) else analysis).get("flops", 0.0))


@cache
def peak_flops(dtype: str = "float32") -> float:
    """Operations a second of a square matrix product on one device: the best of five, what a network can hope for at most.

    Not for jit: it measures time.
    """
    side = 2048 if jax.default_backend() == "cpu" else 4096
    matrix = jnp.full((side, side), 0.5, dtype)
    product = jax.jit(jnp.matmul).lower(matrix, matrix).compile()
    product(matrix, matrix).block_until_ready()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        times.append(time.perf_counter() - began)
    return 2 * side**3 / min(times)
