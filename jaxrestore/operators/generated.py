"""A blur kernel that a small network generates."""

from dataclasses import dataclass

import jax
from jaxtyping import Array, Float

from jaxrestore._pytree import assign, register
from jaxrestore.operators.checks import check_size


@register
@dataclass(frozen=True, init=False)
class GeneratedKernel:
    """The fully connected kernel generator of SelfDeblur (Ren et al. 2020), which SHRED and BIRD use.

    A fixed input ``[inputs]``, a hidden layer with ReLU6, a layer to size^2 logits, softmax. Weights are ``[in, out]``, all
    unknown; they start uniform within 1 / sqrt(fan-in), the input uniform in [0, 0.1], as in BIRD's published code. `key`
    decides them. InputError for an even size.

    >>> GeneratedKernel(3, jax.random.key(0), inputs=4, hidden=5)().shape
    (3, 3)
    """

    code: Float[Array, " inputs"]  # the fixed input: known
    hidden_weight: Float[Array, "inputs hidden"]
    hidden_bias: Float[Array, " hidden"]
    output_weight: Float[Array, "hidden outputs"]
    output_bias: Float[Array, " outputs"]
    unknown = ("hidden_weight", "hidden_bias", "output_weight", "output_bias")

    def __init__(self, size: int, key: Array, inputs: int = 200, hidden: int = 1000) -> None:
        check_size(size)
        keys = jax.random.split(key, 5)

        def uniform(key: Array, shape: tuple[int, ...], fan_in: int) -> Array:
            return jax.random.uniform(key, shape, minval=-(fan_in**-0.5), maxval=fan_in**-0.5)

        assign(
            self,
            code=0.1 * jax.random.uniform(keys[0], (inputs,)),
            hidden_weight=uniform(keys[1], (inputs, hidden), inputs),
            hidden_bias=uniform(keys[2], (hidden,), inputs),
            output_weight=uniform(keys[3], (hidden, size**2), hidden),
            output_bias=uniform(keys[4], (size**2,), hidden),
        )

    def __call__(self) -> Float[Array, "size size"]:
        hidden = jax.nn.relu6(self.code @ self.hidden_weight + self.hidden_bias)
        logits = hidden @ self.output_weight + self.output_bias
        size = round(logits.shape[-1] ** 0.5)
        return jax.nn.softmax(logits).reshape(size, size)
