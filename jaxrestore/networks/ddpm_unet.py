"""The DDPM U-Net (Ho et al. 2020), the "simple" model of `celeba_hq.ckpt`, channels last, in Flax NNX.

`DDPMUNet` is the frozen config and the function in one: it hashes by value, so programs compile once per architecture and
not once per set of weights. Parameters are a nested dict with string keys, named as the tensors of the published files.
"""

from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


@dataclass(frozen=True)
class DDPMUNet:
    """A DDPM U-Net over images ``[b, h, w, channels]``; h and w divisible by ``patch_size * 2 ** (len(ch_mult) - 1)``.

    Attention acts where a feature map of the native `image_size` has a side in `attn_resolutions` (counted after
    patching). With ``patch_size`` p the network works on p x p space-to-depth: channel order colour, row, column.
    ``dtype`` is that of the computation ("float32" or "bfloat16"; parameters stay float32, norms are taken in float32);
    ``precision`` that of its products: "highest" for float32 throughout where the hardware's default is less.
    """

    image_size: int = 256
    channels: int = 3
    out_channels: int = 3
    ch: int = 128
    ch_mult: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    num_res_blocks: int = 2
    attn_resolutions: tuple[int, ...] = (16,)
    patch_size: int = 1
    groups: int = 32
    dtype: str = "float32"
    precision: str | None = None

    @partial(jax.jit, static_argnums=0)
    def __call__(self, parameters, x: Float[Array, "b h w c"], t: Any, label=None, key=None) -> Float[Array, "b h w o"]:
        """The network's output at times `t`, ``[]`` or ``[b]``. `label` and `key` are accepted for the common interface."""
        stride = self.patch_size * 2 ** (len(self.ch_mult) - 1)
        if x.shape[1] % stride or x.shape[2] % stride:
            raise ValueError(f"This network needs image sides divisible by {stride}, not {x.shape[1]} x {x.shape[2]}.")
        output = nnx.merge(_graph(self), parameters)(space_to_depth(x, self.patch_size), jnp.atleast_1d(t))
        return depth_to_space(output, self.patch_size).astype(x.dtype)

    def init(self, key: Array) -> dict:
        """Fresh parameters: weights normal with variance 1 / fan-in, norms one, biases zero.

        One draw for all: initialising layer by layer takes XLA a minute to compile.
        """
        leaves, structure = jax.tree_util.tree_flatten_with_path(self.shapes())
        draw = jax.random.normal(key, (sum(leaf.size for path, leaf in leaves if path[-1].key == "kernel"),))
        parameters, start = [], 0
        for path, leaf in leaves:
            if path[-1].key != "kernel":
                parameters.append(jnp.full(leaf.shape, float(path[-1].key == "scale")))
                continue
            fan_in = leaf.size // leaf.shape[-1]
            parameters.append(draw[start : start + leaf.size].reshape(leaf.shape) / fan_in**0.5)
            start += leaf.size
        return jax.tree.unflatten(structure, parameters)

    def shapes(self) -> dict:
        """The nested dict of ShapeDtypeStructs that `parameters` must match."""
        return nnx.to_pure_dict(nnx.state(_abstract(self)))


@cache
def _abstract(config: DDPMUNet) -> "_UNet":
    return nnx.eval_shape(lambda: _UNet(config, nnx.Rngs(0)))


@cache
def _graph(config: DDPMUNet):
    return nnx.split(_abstract(config))[0]


def space_to_depth(x: Float[Array, "b h w c"], p: int) -> Float[Array, "b hp wp cpp"]:
    """p x p blocks into channels, in the order colour, row, column (torch's `pixel_unshuffle`)."""
    b, h, w, c = x.shape
    return x.reshape(b, h // p, p, w // p, p, c).transpose(0, 1, 3, 5, 2, 4).reshape(b, h // p, w // p, c * p * p)


def depth_to_space(x: Float[Array, "b h w c"], p: int) -> Float[Array, "b h_ w_ c_"]:
    """The inverse of `space_to_depth`."""
    b, h, w, c = x.shape
    return x.reshape(b, h, w, c // p**2, p, p).transpose(0, 1, 4, 2, 5, 3).reshape(b, h * p, w * p, c // p**2)


def timestep_embedding(t: Array, size: int) -> Float[Array, "b size"]:
    """Sines, then cosines, of t at geometric frequencies from 1 to 1e-4 (DDPM's order and denominator)."""
    half = size // 2
    angles = t.astype(jnp.float32)[:, None] * jnp.exp(-jnp.log(1e4) * jnp.arange(half) / (half - 1))
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def _numbered(modules) -> Any:
    return nnx.Dict({str(i): module for i, module in enumerate(modules)})  # string keys: a parameter path is text


class _Layers:
    """Makes the layers of one config, so that dtype, precision and groups are said once."""

    def __init__(self, config: DDPMUNet, rngs: nnx.Rngs):
        self.config, self.rngs = config, rngs
        self.numbers = {"dtype": jnp.dtype(config.dtype), "param_dtype": jnp.float32, "rngs": rngs}

    def conv(self, inputs: int, outputs: int, size: int = 3, strides: int = 1, padding="SAME") -> nnx.Conv:
        kernel = (size, size)
        return nnx.Conv(
            inputs, outputs, kernel, strides, padding=padding, precision=self.config.precision, **self.numbers
        )

    def dense(self, inputs: int, outputs: int) -> nnx.Linear:
        return nnx.Linear(inputs, outputs, precision=self.config.precision, **self.numbers)

    def norm(self, channels: int) -> nnx.GroupNorm:
        return nnx.GroupNorm(channels, self.config.groups, epsilon=1e-6, use_fast_variance=False, **self.numbers)


class _ResBlock(nnx.Module):
    def __init__(self, layers: _Layers, inputs: int, outputs: int):
        self.norm1, self.conv1 = layers.norm(inputs), layers.conv(inputs, outputs)
        self.temb_proj = layers.dense(4 * layers.config.ch, outputs)
        self.norm2, self.conv2 = layers.norm(outputs), layers.conv(outputs, outputs)
        if inputs != outputs:
            self.nin_shortcut = layers.conv(inputs, outputs, size=1)

    def __call__(self, x, temb):
        h = self.conv1(nnx.silu(self.norm1(x)))
        h = h + self.temb_proj(nnx.silu(temb))[:, None, None, :]
        h = self.conv2(nnx.silu(self.norm2(h)))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class _Attention(nnx.Module):
    """Self-attention over all positions, one head."""

    def __init__(self, layers: _Layers, channels: int):
        self.norm = layers.norm(channels)
        self.q, self.k, self.v, self.proj_out = (layers.dense(channels, channels) for _ in range(4))
        self.precision = layers.config.precision

    def __call__(self, x):
        b, h, w, c = x.shape
        tokens = self.norm(x).reshape(b, h * w, c)
        scores = jnp.einsum("bqc,bkc->bqk", self.q(tokens) * c**-0.5, self.k(tokens), precision=self.precision)
        weights = jax.nn.softmax(scores.astype(jnp.float32)).astype(scores.dtype)
        mixed = jnp.einsum("bqk,bkc->bqc", weights, self.v(tokens), precision=self.precision)
        return x + self.proj_out(mixed).reshape(b, h, w, c)


class _Middle(nnx.Module):
    def __init__(self, layers: _Layers, channels: int):
        self.block_1, self.attn_1 = _ResBlock(layers, channels, channels), _Attention(layers, channels)
        self.block_2 = _ResBlock(layers, channels, channels)

    def __call__(self, x, temb):
        return self.block_2(self.attn_1(self.block_1(x, temb)), temb)


class _Level(nnx.Module):
    """The blocks of one resolution, each followed by attention where the config asks for it; then a resampling."""

    def __init__(self, layers: _Layers, widths: list[tuple[int, int]], attention: bool, **resample: nnx.Module):
        self.block = _numbered(_ResBlock(layers, *width) for width in widths)
        if attention:
            self.attn = _numbered(_Attention(layers, outputs) for _, outputs in widths)
        for name, module in resample.items():
            setattr(self, name, nnx.Dict({"conv": module}))

    def apply_block(self, i: int, x, temb):
        x = self.block[str(i)](x, temb)
        return self.attn[str(i)](x) if hasattr(self, "attn") else x


class _UNet(nnx.Module):
    def __init__(self, config: DDPMUNet, rngs: nnx.Rngs):
        layers, patch, last = _Layers(config, rngs), config.patch_size, len(config.ch_mult) - 1
        self.config = config
        widths = [config.ch * m for m in config.ch_mult]
        sides = [config.image_size // patch // 2**level for level in range(len(widths))]
        attention = [side in config.attn_resolutions for side in sides]

        self.temb = nnx.Dict(
            {"dense": _numbered([layers.dense(config.ch, 4 * config.ch), layers.dense(4 * config.ch, 4 * config.ch)])}
        )
        self.conv_in = layers.conv(config.channels * patch**2, config.ch)
        skips, width, down, up = [config.ch], config.ch, [], []
        for level, outputs in enumerate(widths):
            pairs = [(width if i == 0 else outputs, outputs) for i in range(config.num_res_blocks)]
            width = outputs
            resample = {}
            if level != last:
                resample["downsample"] = layers.conv(width, width, strides=2, padding="VALID")
            down.append(_Level(layers, pairs, attention[level], **resample))
            skips += [width] * (config.num_res_blocks + (level != last))
        self.mid = _Middle(layers, width)
        for level in reversed(range(len(widths))):
            outputs, pairs = widths[level], []
            for _ in range(config.num_res_blocks + 1):
                pairs.append((width + skips.pop(), outputs))
                width = outputs
            resample = {"upsample": layers.conv(width, width)} if level else {}
            up.insert(0, _Level(layers, pairs, attention[level], **resample))
        self.down, self.up = _numbered(down), _numbered(up)
        self.norm_out = layers.norm(width)
        self.conv_out = layers.conv(width, config.out_channels * patch**2)

    def __call__(self, x, t):
        levels, blocks = range(len(self.config.ch_mult)), self.config.num_res_blocks
        temb = timestep_embedding(t, self.config.ch).astype(self.config.dtype)
        temb = self.temb["dense"]["1"](nnx.silu(self.temb["dense"]["0"](temb)))
        x = self.conv_in(x)
        skips = [x]
        for level in levels:
            here = self.down[str(level)]
            for i in range(blocks):
                x = here.apply_block(i, x, temb)
                skips.append(x)
            if hasattr(here, "downsample"):
                x = here.downsample["conv"](jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))))  # torch's one-sided padding
                skips.append(x)
        x = self.mid(x, temb)
        for level in reversed(levels):
            here = self.up[str(level)]
            for i in range(blocks + 1):
                x = here.apply_block(i, jnp.concatenate([x, skips.pop()], axis=-1), temb)
            if hasattr(here, "upsample"):
                x = here.upsample["conv"](jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2))
        return self.conv_out(nnx.silu(self.norm_out(x)))
