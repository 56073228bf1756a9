"""The ADM U-Net (Dhariwal & Nichol 2021), the network of guided-diffusion's checkpoints, channels last, in Flax NNX."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from flax import nnx

from jaxrestore.networks.layers import (
    Layers,
    UNet,
    attend,
    average,
    divided,
    enlarge,
    numbered,
    run,
    timestep_embedding,
)


@dataclass(frozen=True)
class ADMUNet(UNet):
    """An ADM U-Net over images ``[b, h, w, channels]``; h and w divisible by ``2 ** (len(ch_mult) - 1)``.

    With twice as many output as input channels the second half is the raw learned variance (`diffusion.ancestral`).
    Attention acts where a feature map of the native `image_size` has a side in `attn_resolutions`, with heads of
    `head_channels`, or `num_heads` (`num_heads_up` on the way up) where that is None; `new_attention_order` says how the
    published weights of queries, keys and values lie. `scale_shift`: the embedding scales and shifts instead of being
    added. `resblock_updown`: residual blocks change the size, else convolutions. `num_classes`: None, or how many labels
    ``[b]`` there are; called without labels such a network adds no class embedding.
    """

    out_channels: int = 6
    norm_eps: float = 1e-5
    ch: int = 256
    ch_mult: tuple[int | float, ...] = (1, 1, 2, 2, 4, 4)
    num_res_blocks: int = 2
    attn_resolutions: tuple[int, ...] = (32, 16, 8)
    num_heads: int = 1
    num_heads_up: int | None = None
    head_channels: int | None = 64
    new_attention_order: bool = False
    scale_shift: bool = True
    resblock_updown: bool = True
    num_classes: int | None = None

    @property
    def stride(self) -> int:
        return 2 ** (len(self.ch_mult) - 1)

    def module(self, rngs: Any) -> nnx.Module:
        return _UNet(self, rngs)


class _ResBlock(nnx.Module):
    """norm, SiLU, (resampling,) convolution, embedding, norm, SiLU, convolution, beside a skip connection."""

    def __init__(self, layers: Layers, inputs: int, outputs: int, resample: Any = None):
        config = layers.config
        self.scale_shift, self.resample = config.scale_shift, resample
        self.in_layers = nnx.Dict({"0": layers.norm(inputs), "2": layers.conv(inputs, outputs)})
        self.emb_layers = nnx.Dict({"1": layers.dense(4 * config.ch, outputs * (2 if self.scale_shift else 1))})
        self.out_layers = nnx.Dict({"0": layers.norm(outputs), "3": layers.conv(outputs, outputs)})
        if inputs != outputs:
            self.skip_connection = layers.conv(inputs, outputs, size=1)
        self.dropout = layers.dropout()

    def __call__(self, x, embedding, key=None):
        h = nnx.silu(self.in_layers["0"](x))
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x)
        h = self.in_layers["2"](h)
        shift = self.emb_layers["1"](nnx.silu(embedding))[:, None, None, :]
        if self.scale_shift:
            scale, shift = jnp.split(shift, 2, axis=-1)
            h = self.out_layers["0"](h) * (1 + scale) + shift
        else:
            h = self.out_layers["0"](h + shift)
        h = self.out_layers["3"](self.dropout(nnx.silu(h), key))
        return h + (self.skip_connection(x) if hasattr(self, "skip_connection") else x)


class _Attention(nnx.Module):
    """Self-attention over all positions; embedding and key are ignored."""

    def __init__(self, layers: Layers, channels: int, up: bool):
        config = layers.config
        heads = config.num_heads_up if up and config.num_heads_up is not None else config.num_heads
        self.heads = divided(channels, heads, config.head_channels)
        self.new_order, self.precision = config.new_attention_order, config.precision
        self.norm = layers.norm(channels)
        self.qkv, self.proj_out = layers.dense(channels, 3 * channels), layers.dense(channels, channels)

    def __call__(self, x, embedding, key=None):
        b, h, w, c = x.shape
        qkv = self.qkv(self.norm(x).reshape(b, h * w, c))
        if self.new_order:  # all queries, all keys, all values
            q, k, v = jnp.moveaxis(qkv.reshape(b, h * w, 3, self.heads, -1), 2, 0)
        else:  # head by head
            q, k, v = jnp.moveaxis(qkv.reshape(b, h * w, self.heads, 3, -1), 3, 0)
        return x + self.proj_out(attend(q, k, v, self.precision).reshape(b, h * w, c)).reshape(b, h, w, c)


class _Resampling(nnx.Module):
    """A change of size by a convolution; embedding and key are ignored."""

    def __init__(self, layers: Layers, channels: int, up: bool):
        self.name = "conv" if up else "op"
        setattr(self, self.name, layers.conv(channels, channels, strides=1 if up else 2, padding=((1, 1), (1, 1))))

    def __call__(self, x, embedding, key=None):
        return getattr(self, self.name)(enlarge(x) if self.name == "conv" else x)


class _UNet(nnx.Module):
    def __init__(self, config: ADMUNet, rngs: Any):
        layers, levels = Layers(config, rngs), range(len(config.ch_mult))
        self.config = config
        widths = [round(config.ch * factor) for factor in config.ch_mult]
        attention = [config.image_size // 2**level in config.attn_resolutions for level in levels]

        def resampling(width: int, up: bool) -> nnx.Module:
            if config.resblock_updown:
                return _ResBlock(layers, width, width, enlarge if up else average)
            return _Resampling(layers, width, up)

        self.time_embed = nnx.Dict(
            {"0": layers.dense(config.ch, 4 * config.ch), "2": layers.dense(4 * config.ch, 4 * config.ch)}
        )
        if config.num_classes is not None:
            self.label_emb = layers.embed(config.num_classes, 4 * config.ch)
        width = widths[0]
        down, skips = [numbered([layers.conv(config.channels, width)])], [width]
        for level in levels:
            for _ in range(config.num_res_blocks):
                parts: list[Any] = [_ResBlock(layers, width, widths[level])]
                width = widths[level]
                down.append(numbered(parts + [_Attention(layers, width, False)] * attention[level]))
                skips.append(width)
            if level != levels[-1]:
                down.append(numbered([resampling(width, False)]))
                skips.append(width)
        self.input_blocks = numbered(down)
        self.middle_block = numbered(
            [_ResBlock(layers, width, width), _Attention(layers, width, False), _ResBlock(layers, width, width)]
        )
        up = []
        for level in reversed(levels):
            for i in range(config.num_res_blocks + 1):
                parts = [_ResBlock(layers, width + skips.pop(), widths[level])]
                width = widths[level]
                parts += [_Attention(layers, width, True)] * attention[level]
                parts += [resampling(width, True)] * (level > 0 and i == config.num_res_blocks)
                up.append(numbered(parts))
        self.output_blocks = numbered(up)
        self.out = nnx.Dict({"0": layers.norm(width), "2": layers.conv(width, config.out_channels)})

    def __call__(self, x, t, label=None, key=None):
        config = self.config
        embedding = timestep_embedding(t, config.ch, "cos_sin").astype(config.dtype)
        embedding = self.time_embed["2"](nnx.silu(self.time_embed["0"](embedding)))
        if config.num_classes is not None and label is not None:
            embedding = embedding + self.label_emb(jnp.atleast_1d(label))
        x = self.input_blocks["0"]["0"](x)
        skips = [x]
        for i in range(1, len(self.input_blocks)):
            x = self._parts(self.input_blocks[str(i)], x, embedding, key)
            skips.append(x)
        x = self._parts(self.middle_block, x, embedding, key)
        for i in range(len(self.output_blocks)):
            x = self._parts(self.output_blocks[str(i)], jnp.concatenate([x, skips.pop()], axis=-1), embedding, key)
        return self.out["2"](nnx.silu(self.out["0"](x)))

    def _parts(self, parts, x, embedding, key):
        for i in range(len(parts)):
            x = run(self.config.remat, parts[str(i)], x, embedding, key)
        return x
