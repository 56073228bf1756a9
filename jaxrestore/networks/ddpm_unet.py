"""The DDPM U-Net (Ho et al. 2020), the "simple" model of `celeba_hq.ckpt`, channels last, in Flax NNX."""

from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaxrestore.networks.layers import (
    Layers,
    ResBlock,
    TimeEmbedding,
    UNet,
    attend,
    divided,
    enlarge,
    numbered,
    run,
    timestep_embedding,
)


@dataclass(frozen=True)
class DDPMUNet(UNet):
    """A DDPM U-Net over images ``[b, h, w, channels]``; h and w divisible by ``patch_size * 2 ** (len(ch_mult) - 1)``.

    Attention acts where a feature map of the native `image_size` has a side in `attn_resolutions` (counted after
    patching). With ``patch_size`` p the network works on p x p space-to-depth: channel order colour, row, column.
    The last three are as published by default; diffusers' `UNet2DModel` has others: heads of `head_channels` (None: one
    head), the order of the time embedding, and how a convolution that halves the size pads ("end": below and to the right).
    """

    ch: int = 128
    ch_mult: tuple[int | float, ...] = (1, 1, 2, 2, 4, 4)
    num_res_blocks: int = 2
    attn_resolutions: tuple[int, ...] = (16,)
    patch_size: int = 1
    head_channels: int | None = None
    time_embedding: TimeEmbedding = "sin_cos"
    downsample_padding: Literal["end", "both"] = "end"

    @property
    def stride(self) -> int:
        return self.patch_size * 2 ** (len(self.ch_mult) - 1)

    def module(self, rngs: Any) -> nnx.Module:
        return _UNet(self, rngs)


def space_to_depth(x: Float[Array, "b h w c"], p: int) -> Float[Array, "b hp wp cpp"]:
    """p x p blocks into channels, in the order colour, row, column (torch's `pixel_unshuffle`)."""
    b, h, w, c = x.shape
    return x.reshape(b, h // p, p, w // p, p, c).transpose(0, 1, 3, 5, 2, 4).reshape(b, h // p, w // p, c * p * p)


def depth_to_space(x: Float[Array, "b h w c"], p: int) -> Float[Array, "b h_ w_ c_"]:
    """The inverse of `space_to_depth`."""
    b, h, w, c = x.shape
    return x.reshape(b, h, w, c // p**2, p, p).transpose(0, 1, 4, 2, 5, 3).reshape(b, h * p, w * p, c // p**2)


class _Attention(nnx.Module):
    """Self-attention over all positions."""

    def __init__(self, layers: Layers, channels: int):
        self.norm = layers.norm(channels)
        self.q, self.k, self.v, self.proj_out = (layers.dense(channels, channels) for _ in range(4))
        self.heads = divided(channels, 1, layers.config.head_channels)
        self.precision = layers.config.precision

    def __call__(self, x):
        b, h, w, c = x.shape
        tokens = self.norm(x).reshape(b, h * w, c)
        q, k, v = (layer(tokens).reshape(b, h * w, self.heads, -1) for layer in (self.q, self.k, self.v))
        return x + self.proj_out(attend(q, k, v, self.precision).reshape(b, h * w, c)).reshape(b, h, w, c)


class _Middle(nnx.Module):
    def __init__(self, layers: Layers, channels: int):
        self.block_1, self.attn_1 = ResBlock(layers, channels, channels), _Attention(layers, channels)
        self.block_2 = ResBlock(layers, channels, channels)

    def __call__(self, x, temb, key=None):
        return self.block_2(self.attn_1(self.block_1(x, temb, key)), temb, key)


class _Level(nnx.Module):
    """The blocks of one resolution, each followed by attention where the config asks for it; then a resampling."""

    def __init__(self, layers: Layers, widths: list[tuple[int, int]], attention: bool, **resample: nnx.Module):
        self.remat = layers.config.remat
        self.block = numbered(ResBlock(layers, *width) for width in widths)
        if attention:
            self.attn = numbered(_Attention(layers, outputs) for _, outputs in widths)
        for name, module in resample.items():
            setattr(self, name, nnx.Dict({"conv": module}))

    def apply_block(self, i: int, x, temb, key):
        x = run(self.remat, self.block[str(i)], x, temb, key)
        return run(self.remat, self.attn[str(i)], x) if hasattr(self, "attn") else x


class _UNet(nnx.Module):
    def __init__(self, config: DDPMUNet, rngs: Any):
        layers, patch, last = Layers(config, rngs), config.patch_size, len(config.ch_mult) - 1
        self.config = config
        widths = [round(config.ch * m) for m in config.ch_mult]
        sides = [config.image_size // patch // 2**level for level in range(len(widths))]
        attention = [side in config.attn_resolutions for side in sides]

        self.temb = nnx.Dict(
            {"dense": numbered([layers.dense(config.ch, 4 * config.ch), layers.dense(4 * config.ch, 4 * config.ch)])}
        )
        self.conv_in = layers.conv(config.channels * patch**2, config.ch)
        skips, width, down, up = [config.ch], config.ch, [], []
        for level, outputs in enumerate(widths):
            pairs = [(width if i == 0 else outputs, outputs) for i in range(config.num_res_blocks)]
            width = outputs
            resample = {}
            if level != last:
                edge = (0, 1) if config.downsample_padding == "end" else (1, 1)
                resample["downsample"] = layers.conv(width, width, strides=2, padding=(edge, edge))
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
        self.down, self.up = numbered(down), numbered(up)
        self.norm_out = layers.norm(width)
        self.conv_out = layers.conv(width, config.out_channels * patch**2)

    def __call__(self, x, t, label=None, key=None):
        config, levels = self.config, range(len(self.config.ch_mult))
        temb = timestep_embedding(t, config.ch, config.time_embedding).astype(config.dtype)
        temb = self.temb["dense"]["1"](nnx.silu(self.temb["dense"]["0"](temb)))
        x = self.conv_in(space_to_depth(x, config.patch_size))
        skips = [x]
        for level in levels:
            here = self.down[str(level)]
            for i in range(config.num_res_blocks):
                x = here.apply_block(i, x, temb, key)
                skips.append(x)
            if hasattr(here, "downsample"):
                x = here.downsample["conv"](x)
                skips.append(x)
        x = self.mid(x, temb, key)
        for level in reversed(levels):
            here = self.up[str(level)]
            for i in range(config.num_res_blocks + 1):
                x = here.apply_block(i, jnp.concatenate([x, skips.pop()], axis=-1), temb, key)
            if hasattr(here, "upsample"):
                x = here.upsample["conv"](enlarge(x))
        return depth_to_space(self.conv_out(nnx.silu(self.norm_out(x))), config.patch_size)
