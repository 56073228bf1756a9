"""Encoder and decoder of latent diffusion's autoencoders (Rombach et al. 2022, after Esser et al. 2021), in Flax NNX.

Their parameters are named as the tensors of diffusers' files.
"""

from typing import Any

from flax import nnx

from jaxrestore.networks.layers import Layers, attend, enlarge, numbered, run


class _ResBlock(nnx.Module):
    def __init__(self, layers: Layers, inputs: int, outputs: int):
        self.norm1, self.conv1 = layers.norm(inputs), layers.conv(inputs, outputs)
        self.norm2, self.conv2 = layers.norm(outputs), layers.conv(outputs, outputs)
        if inputs != outputs:
            self.conv_shortcut = layers.conv(inputs, outputs, size=1)

    def __call__(self, x):
        h = self.conv2(nnx.silu(self.norm2(self.conv1(nnx.silu(self.norm1(x))))))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class _Attention(nnx.Module):
    """Self-attention over all positions, of one head."""

    def __init__(self, layers: Layers, channels: int):
        self.group_norm = layers.norm(channels)
        self.to_q, self.to_k, self.to_v = (layers.dense(channels, channels) for _ in range(3))
        self.to_out = numbered([layers.dense(channels, channels)])
        self.precision = layers.config.precision

    def __call__(self, x):
        b, h, w, c = x.shape
        tokens = self.group_norm(x).reshape(b, h * w, c)
        q, k, v = (layer(tokens)[:, :, None, :] for layer in (self.to_q, self.to_k, self.to_v))
        return x + self.to_out["0"](attend(q, k, v, self.precision)[:, :, 0, :]).reshape(b, h, w, c)


class _Middle(nnx.Module):
    """A residual block, attention where the config asks for it, a residual block."""

    def __init__(self, layers: Layers, channels: int, attention: bool):
        self.remat = layers.config.remat
        self.resnets = numbered(_ResBlock(layers, channels, channels) for _ in range(2))
        if attention:
            self.attentions = numbered([_Attention(layers, channels)])

    def __call__(self, x):
        x = run(self.remat, self.resnets["0"], x)
        if hasattr(self, "attentions"):
            x = run(self.remat, self.attentions["0"], x)
        return run(self.remat, self.resnets["1"], x)


class _Level(nnx.Module):
    """The blocks of one resolution, each followed by attention where `attention` says so; then a change of size, if any."""

    def __init__(self, layers: Layers, inputs: int, outputs: int, blocks: int, attention: bool, change: str | None):
        self.remat = layers.config.remat
        self.resnets = numbered(_ResBlock(layers, outputs if i else inputs, outputs) for i in range(blocks))
        if attention:
            self.attentions = numbered(_Attention(layers, outputs) for _ in range(blocks))
        if change == "half":  # pads below and to the right
            conv = layers.conv(outputs, outputs, strides=2, padding=((0, 1), (0, 1)))
            self.downsamplers = numbered([nnx.Dict({"conv": conv})])
        elif change == "twice":
            self.upsamplers = numbered([nnx.Dict({"conv": layers.conv(outputs, outputs)})])

    def __call__(self, x):
        for i in range(len(self.resnets)):
            x = run(self.remat, self.resnets[str(i)], x)
            if hasattr(self, "attentions"):
                x = run(self.remat, self.attentions[str(i)], x)
        if hasattr(self, "downsamplers"):
            x = self.downsamplers["0"]["conv"](x)
        return self.upsamplers["0"]["conv"](enlarge(x)) if hasattr(self, "upsamplers") else x


class Encoder(nnx.Module):
    """Images to `outputs` channels, from which latents are made; `config` is an `Autoencoder`."""

    def __init__(self, layers: Layers, config: Any, outputs: int):
        widths = config.block_out_channels
        self.conv_in = layers.conv(config.channels, widths[0])
        levels, before = [], widths[0]
        for level, width in enumerate(widths):
            attention, change = level in config.encoder_attention, "half" if level < len(widths) - 1 else None
            levels.append(_Level(layers, before, width, config.layers_per_block, attention, change))
            before = width
        self.down_blocks, self.mid_block = numbered(levels), _Middle(layers, before, config.mid_attention)
        self.conv_norm_out, self.conv_out = layers.norm(before), layers.conv(before, outputs)

    def __call__(self, x):
        x = self.conv_in(x)
        for level in range(len(self.down_blocks)):
            x = self.down_blocks[str(level)](x)
        return self.conv_out(nnx.silu(self.conv_norm_out(self.mid_block(x))))


class Decoder(nnx.Module):
    """Latents to images; `config` is an `Autoencoder`."""

    def __init__(self, layers: Layers, config: Any):
        widths = config.block_out_channels[::-1]
        self.conv_in = layers.conv(config.latent_channels, widths[0])
        self.mid_block = _Middle(layers, widths[0], config.mid_attention)
        levels, before = [], widths[0]
        for level, width in enumerate(widths):
            attention, change = level in config.decoder_attention, "twice" if level < len(widths) - 1 else None
            levels.append(_Level(layers, before, width, config.layers_per_block + 1, attention, change))
            before = width
        self.up_blocks = numbered(levels)
        self.conv_norm_out, self.conv_out = layers.norm(before), layers.conv(before, config.out_channels)

    def __call__(self, x):
        x = self.mid_block(self.conv_in(x))
        for level in range(len(self.up_blocks)):
            x = self.up_blocks[str(level)](x)
        return self.conv_out(nnx.silu(self.conv_norm_out(x)))
