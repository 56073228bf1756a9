"""The U-Net of the Keras documentation's DDPM example (https://keras.io/examples/generative/ddpm/), in Flax NNX.

Unlike the DDPM U-Net's, its time embedding has four times the first width, and its attention adds to what the norm makes of
the features rather than to the features themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from jaxrestore.errors import InputError
from jaxrestore.networks.layers import Layers, ResBlock, UNet, attend, enlarge, numbered, run


@dataclass(frozen=True)
class KerasUNet(UNet):
    """A U-Net over images ``[b, h, w, channels]``; h and w divisible by ``2 ** (len(ch_mult) - 1)``.

    Attention, of one head, acts where a feature map of the native `image_size` has a side in `attn_resolutions`, and in the
    middle. `frequencies`, ``2 * ch`` numbers: those of the time embedding, where a file has others than
    `geometric_frequencies` (a quantised file has: they are constants of its graph). InputError for another number of them.

    >>> import jax, jax.numpy as jnp
    >>> network = KerasUNet(image_size=8, ch=8, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=(4,))
    >>> network(network.init(jax.random.key(0)), jnp.zeros((1, 8, 8, 3)), 299).shape
    (1, 8, 8, 3)
    """

    image_size: int = 64
    groups: int = 8
    norm_eps: float = 1e-3
    ch: int = 64
    ch_mult: tuple[int | float, ...] = (1, 2, 4, 8)
    num_res_blocks: int = 2
    attn_resolutions: tuple[int, ...] = (16, 8)
    frequencies: tuple[float, ...] | None = None

    @property
    def stride(self) -> int:
        return 2 ** (len(self.ch_mult) - 1)

    def module(self, rngs: Any) -> nnx.Module:
        if self.frequencies is not None and len(self.frequencies) != 2 * self.ch:
            raise InputError(f"The time embedding needs {2 * self.ch} frequencies, not {len(self.frequencies)}.")
        return _UNet(self, rngs)


def geometric_frequencies(number: int) -> np.ndarray:
    """`number` frequencies, float32, from 1 down to 1e-4."""
    return np.exp(-np.log(1e4) * np.arange(number) / max(number - 1, 1)).astype(np.float32)


def sines_and_cosines(t: Array, frequencies: Sequence[float] | np.ndarray) -> Float[Array, "b two_f"]:
    """The embedding of times ``[b]``, whole numbers from 0, by f frequencies: all sines, then all cosines."""
    angles = t.astype(jnp.float32)[:, None] * jnp.asarray(frequencies, jnp.float32)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


class _Attention(nnx.Module):
    """Self-attention over all positions, added to its normalised input."""

    def __init__(self, layers: Layers, channels: int):
        self.norm = layers.norm(channels)
        self.q, self.k, self.v, self.proj_out = (layers.dense(channels, channels) for _ in range(4))
        self.precision = layers.config.precision

    def __call__(self, x):
        b, h, w, c = x.shape
        x = self.norm(x)
        q, k, v = (layer(x.reshape(b, h * w, c))[:, :, None, :] for layer in (self.q, self.k, self.v))
        return x + self.proj_out(attend(q, k, v, self.precision).reshape(b, h, w, c))


class _Middle(nnx.Module):
    def __init__(self, layers: Layers, channels: int):
        self.block_1, self.attn_1 = ResBlock(layers, channels, channels), _Attention(layers, channels)
        self.block_2 = ResBlock(layers, channels, channels)

    def __call__(self, x, temb, key=None):
        return self.block_2(self.attn_1(self.block_1(x, temb, key)), temb, key)


class _Level(nnx.Module):
    """The blocks of one resolution, each followed by attention where the config asks for it, and a change of size."""

    def __init__(self, layers: Layers, widths: list[tuple[int, int]], attention: bool, resample: nnx.Module | None):
        self.remat = layers.config.remat
        self.block = numbered(ResBlock(layers, *width) for width in widths)
        if attention:
            self.attn = numbered(_Attention(layers, outputs) for _, outputs in widths)
        if resample is not None:
            self.resample = resample

    def apply_block(self, i: int, x, temb, key):
        x = run(self.remat, self.block[str(i)], x, temb, key)
        return run(self.remat, self.attn[str(i)], x) if hasattr(self, "attn") else x


class _UNet(nnx.Module):
    def __init__(self, config: KerasUNet, rngs: Any):
        layers, blocks, levels = Layers(config, rngs), config.num_res_blocks, len(config.ch_mult)
        self.config = config
        widths = [round(config.ch * multiple) for multiple in config.ch_mult]
        attention = [config.image_size // 2**level in config.attn_resolutions for level in range(levels)]

        self.temb = numbered(layers.dense(4 * config.ch, 4 * config.ch) for _ in range(2))
        self.conv_in = layers.conv(config.channels, config.ch)
        skips, width, down, up = [config.ch], config.ch, [], []
        for level, outputs in enumerate(widths):
            pairs = [(width if i == 0 else outputs, outputs) for i in range(blocks)]
            width, is_last = outputs, level == levels - 1
            smaller = None if is_last else layers.conv(width, width, strides=2)  # SAME: one row below, one column right
            down.append(_Level(layers, pairs, attention[level], smaller))
            skips += [width] * (blocks + (not is_last))
        self.mid = _Middle(layers, width)
        for level in reversed(range(levels)):
            pairs = []
            for _ in range(blocks + 1):
                pairs.append((width + skips.pop(), widths[level]))
                width = widths[level]
            up.insert(0, _Level(layers, pairs, attention[level], layers.conv(width, width) if level else None))
        self.down, self.up = numbered(down), numbered(up)
        self.norm_out = layers.norm(width)
        self.conv_out = layers.conv(width, config.out_channels)

    def __call__(self, x, t, label=None, key=None):
        config, levels = self.config, range(len(self.config.ch_mult))
        frequencies = config.frequencies or geometric_frequencies(2 * config.ch)
        temb = sines_and_cosines(t, frequencies).astype(config.dtype)
        temb = self.temb["1"](nnx.silu(self.temb["0"](temb)))
        x = self.conv_in(x)
        skips = [x]
        for level in levels:
            here = self.down[str(level)]
            for i in range(config.num_res_blocks):
                x = here.apply_block(i, x, temb, key)
                skips.append(x)
            if hasattr(here, "resample"):
                x = here.resample(x)
                skips.append(x)
        x = self.mid(x, temb, key)
        for level in reversed(levels):
            here = self.up[str(level)]
            for i in range(config.num_res_blocks + 1):
                x = here.apply_block(i, jnp.concatenate([x, skips.pop()], axis=-1), temb, key)
            if hasattr(here, "resample"):
                x = here.resample(enlarge(x))
        return self.conv_out(nnx.silu(self.norm_out(x)))
