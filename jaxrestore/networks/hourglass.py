"""The encoder-decoder of deep image prior (Ulyanov et al. 2018): a network whose form alone prefers photographs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaxrestore.errors import InputError
from jaxrestore.networks.layers import Layers, UNet, enlarge, numbered


@dataclass(frozen=True)
class Hourglass(UNet):
    """From a code ``[b, h, w, channels]`` to an image ``[b, h, w, out_channels]`` in [-1, 1]; h and w divisible by
    2^levels.

    Each level halves the size by a strided convolution and convolves again; on the way up it is enlarged, joined with
    `skip` channels of the level above, convolved and mixed. Every channel is normalised over its own image, so that
    images of a batch know nothing of each other; rectifiers leak a fifth. Time, label and key of the other networks are
    ignored. InputError for numbers that make up no network.
    """

    channels: int = 32
    ch: int = 128
    levels: int = 5
    skip: int = 4

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("channels", "out_channels", "ch", "levels", "skip")}
        for name, count in counts.items():
            if count < 1:
                raise InputError(f"{name} of an hourglass must be at least 1, not {count}.")

    @property
    def stride(self) -> int:
        return 2**self.levels

    def module(self, rngs: Any) -> nnx.Module:
        return _Hourglass(self, rngs)


def by_products(
    x: Float[Array, "b h w i"],
    kernel: Float[Array, "kh kw i o"],
    strides: Sequence[int],
    padding: Sequence[Sequence[int]],
    *,
    precision: Any = None,
    **named: Any,
) -> Float[Array, "b H W o"]:
    """The convolution of `jax.lax.conv_general_dilated`, channels last, as a sum of matrix products, one for each of the
    kernel's pixels.

    XLA's CPU backend has no fast derivative in the weights within a loop, as a fit is one, nor a fast convolution with
    weights of each image's own: so written both are matrix products, and several times as fast.
    """
    padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    (kh, kw), (down, along) = kernel.shape[:2], strides
    ends = (padded.shape[1] - kh + 1, padded.shape[2] - kw + 1)
    seen = (padded[:, r : r + ends[0] : down, c : c + ends[1] : along] for r in range(kh) for c in range(kw))
    taps = kernel.reshape(kh * kw, *kernel.shape[2:])
    products = [jnp.tensordot(part, tap, 1, precision=precision) for part, tap in zip(seen, taps, strict=True)]
    return sum(products[1:], products[0])


def convolution(layers: Layers, inputs: int, outputs: int, size: int, strides: int = 1) -> nnx.Conv:
    """One with zeros beyond the border."""
    how = {"strides": strides, "padding": ((size // 2, size // 2),) * 2, "conv_general_dilated": by_products}
    return nnx.Conv(inputs, outputs, (size, size), **how, **layers.products)


class _Block(nnx.Module):
    """Convolution, norm, leaking rectifier."""

    def __init__(self, layers: Layers, inputs: int, outputs: int, size: int = 3, strides: int = 1):
        self.conv = convolution(layers, inputs, outputs, size, strides)
        self.norm = nnx.GroupNorm(outputs, outputs, epsilon=1e-5, use_fast_variance=False, **layers.numbers)

    def __call__(self, x):
        return nnx.leaky_relu(self.norm(self.conv(x)), 0.2)


class _Level(nnx.Module):
    """What lies at one size, with all below it."""

    def __init__(self, layers: Layers, inputs: int, level: int):
        config = layers.config
        joined = config.skip + config.ch
        self.skip = _Block(layers, inputs, config.skip, size=1)
        self.down, self.deeper = _Block(layers, inputs, config.ch, strides=2), _Block(layers, config.ch, config.ch)
        self.inner = numbered([_Level(layers, config.ch, level - 1)] if level > 1 else [])
        self.norm = nnx.GroupNorm(joined, joined, epsilon=1e-5, use_fast_variance=False, **layers.numbers)
        self.up, self.mix = _Block(layers, joined, config.ch), _Block(layers, config.ch, config.ch, size=1)

    def __call__(self, x):
        below = self.deeper(self.down(x))
        for i in range(len(self.inner)):
            below = self.inner[str(i)](below)
        return self.mix(self.up(self.norm(jnp.concatenate([self.skip(x), enlarge(below)], axis=-1))))


class _Hourglass(nnx.Module):
    def __init__(self, config: Hourglass, rngs: Any):
        layers = Layers(config, rngs)
        self.body = _Level(layers, config.channels, config.levels)
        self.out = convolution(layers, config.ch, config.out_channels, 1)

    def __call__(self, x, t, label=None, key=None):
        return 2 * jax.nn.sigmoid(self.out(self.body(x))) - 1
