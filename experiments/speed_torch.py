"""The published loop in PyTorch, to compare with: the two U-Nets on our weights, and BIRD's iteration around them.

Written as a PyTorch user would: channels first, `torch.optim.Adam`, automatic differentiation, no gradient through the
network in frozen mode, and `torch.utils.checkpoint` step by step in full mode.
"""

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

torch: Any = importlib.import_module("torch")  # in no environment of the package
F: Any = importlib.import_module("torch.nn.functional")
checkpoint: Any = importlib.import_module("torch.utils.checkpoint")


class Weights:
    """Tensors in PyTorch's layout by our names, and the layers that read them."""

    def __init__(self, arrays: dict[str, np.ndarray], config: Any, device: str, dtype: Any):
        self.config = config
        self.tensors = {}
        for name, array in arrays.items():
            axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim, range(array.ndim))
            self.tensors[name] = torch.from_numpy(array.transpose(*axes).copy()).to(device, dtype)

    def has(self, name: str) -> bool:
        return f"{name}.kernel" in self.tensors

    def conv(self, name: str, x: Any, stride: int = 1, padding: int | None = None) -> Any:
        kernel = self.tensors[f"{name}.kernel"]
        padding = kernel.shape[-1] // 2 if padding is None else padding
        return F.conv2d(x, kernel, self.tensors[f"{name}.bias"], stride, padding)

    def dense(self, name: str, x: Any) -> Any:
        return F.linear(x, self.tensors[f"{name}.kernel"], self.tensors[f"{name}.bias"])

    def norm(self, name: str, x: Any) -> Any:
        scale, bias = self.tensors[f"{name}.scale"], self.tensors[f"{name}.bias"]
        return F.group_norm(x, self.config.groups, scale, bias, self.config.norm_eps)

    def attend(self, q: Any, k: Any, v: Any) -> Any:
        """``[b, n, h, c]`` each."""
        return F.scaled_dot_product_attention(*(part.transpose(1, 2) for part in (q, k, v))).transpose(1, 2)


def time_embedding(t: Any, size: int, sines_first: bool) -> Any:
    half = size // 2
    steps = half - 1 if sines_first else half
    angles = t[:, None] * torch.exp(torch.arange(half, device=t.device) * (-math.log(1e4) / steps))
    parts = [angles.sin(), angles.cos()]
    return torch.cat(parts if sines_first else parts[::-1], dim=1)


def ddpm(w: Weights, x: Any, t: Any) -> Any:
    """`DDPMUNet` on x ``[b, c, h, w]`` at times ``[b]``."""
    config = w.config
    temb = time_embedding(t, config.ch, sines_first=True).to(x.dtype)
    temb = w.dense("temb.dense.1", F.silu(w.dense("temb.dense.0", temb)))

    def block(name: str, x: Any) -> Any:
        h = w.conv(f"{name}.conv1", F.silu(w.norm(f"{name}.norm1", x)))
        h = h + w.dense(f"{name}.temb_proj", F.silu(temb))[:, :, None, None]
        h = w.conv(f"{name}.conv2", F.silu(w.norm(f"{name}.norm2", h)))
        return h + (w.conv(f"{name}.nin_shortcut", x) if w.has(f"{name}.nin_shortcut") else x)

    def attention(name: str, x: Any) -> Any:
        b, c, height, width = x.shape
        tokens = w.norm(f"{name}.norm", x).flatten(2).transpose(1, 2)
        heads = 1 if config.head_channels is None else c // config.head_channels
        q, k, v = (w.dense(f"{name}.{part}", tokens).reshape(b, -1, heads, c // heads) for part in "qkv")
        out = w.dense(f"{name}.proj_out", w.attend(q, k, v).reshape(b, -1, c))
        return x + out.transpose(1, 2).reshape(b, c, height, width)

    def blocks(name: str, i: int, x: Any) -> Any:
        x = block(f"{name}.block.{i}", x)
        return attention(f"{name}.attn.{i}", x) if w.has(f"{name}.attn.{i}.q") else x

    levels = range(len(config.ch_mult))
    x = w.conv("conv_in", F.pixel_unshuffle(x, config.patch_size))
    skips = [x]
    for level in levels:
        for i in range(config.num_res_blocks):
            x = blocks(f"down.{level}", i, x)
            skips.append(x)
        if w.has(f"down.{level}.downsample.conv"):
            x = w.conv(f"down.{level}.downsample.conv", F.pad(x, (0, 1, 0, 1)), stride=2, padding=0)
            skips.append(x)
    x = block("mid.block_2", attention("mid.attn_1", block("mid.block_1", x)))
    for level in reversed(levels):
        for i in range(config.num_res_blocks + 1):
            x = blocks(f"up.{level}", i, torch.cat([x, skips.pop()], dim=1))
        if w.has(f"up.{level}.upsample.conv"):
            x = w.conv(f"up.{level}.upsample.conv", F.interpolate(x, scale_factor=2, mode="nearest"))
    return F.pixel_shuffle(w.conv("conv_out", F.silu(w.norm("norm_out", x))), config.patch_size)


def adm(w: Weights, x: Any, t: Any) -> Any:
    """`ADMUNet` as of the unconditional ImageNet checkpoint, on x ``[b, c, h, w]`` at times ``[b]``; 2 c channels out."""
    config = w.config
    embedding = time_embedding(t, config.ch, sines_first=False).to(x.dtype)
    embedding = w.dense("time_embed.2", F.silu(w.dense("time_embed.0", embedding)))

    def block(name: str, x: Any, resample: Callable = lambda x: x) -> Any:
        h = resample(F.silu(w.norm(f"{name}.in_layers.0", x)))
        x, h = resample(x), w.conv(f"{name}.in_layers.2", h)
        scale, shift = w.dense(f"{name}.emb_layers.1", F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = w.norm(f"{name}.out_layers.0", h) * (1 + scale) + shift
        h = w.conv(f"{name}.out_layers.3", F.silu(h))
        return h + (w.conv(f"{name}.skip_connection", x) if w.has(f"{name}.skip_connection") else x)

    def attention(name: str, x: Any) -> Any:
        b, c, height, width = x.shape
        qkv = w.dense(f"{name}.qkv", w.norm(f"{name}.norm", x).flatten(2).transpose(1, 2))
        q, k, v = qkv.reshape(b, height * width, c // config.head_channels, 3, -1).unbind(3)
        out = w.dense(f"{name}.proj_out", w.attend(q, k, v).reshape(b, -1, c))
        return x + out.transpose(1, 2).reshape(b, c, height, width)

    def parts(name: str, x: Any, resample: Callable) -> Any:
        """All parts under a name; a residual block after the first changes the size, and one that stands alone below."""
        number = 0
        while any(key.startswith(f"{name}.{number}.") for key in w.tensors):
            part = f"{name}.{number}"
            if w.has(f"{part}.qkv"):
                x = attention(part, x)
            elif w.has(f"{part}.in_layers.2"):
                x = block(part, x, resample) if part in resized else block(part, x)
            else:
                x = w.conv(part, x)
            number += 1
        return x

    per_level, levels = config.num_res_blocks + 1, len(config.ch_mult)
    resized = {f"input_blocks.{level * per_level}.0" for level in range(1, levels)}
    for level in range(1, levels):
        name = f"output_blocks.{level * per_level - 1}"
        resized.add(f"{name}.{2 if w.has(f'{name}.1.qkv') else 1}")
    skips = []
    for i in range(levels * per_level):
        x = parts(f"input_blocks.{i}", x, lambda x: F.avg_pool2d(x, 2))
        skips.append(x)
    x = parts("middle_block", x, lambda x: x)
    for i in range(levels * per_level):
        x = torch.cat([x, skips.pop()], dim=1)
        x = parts(f"output_blocks.{i}", x, lambda x: F.interpolate(x, scale_factor=2, mode="nearest"))
    return w.conv("out.2", F.silu(w.norm("out.0", x)))


class Loop:
    """BIRD's blind deblurring: Adam on noise and kernel through the clipped unroll, the noise back to its sphere."""

    def __init__(self, network: Callable, predicts_v: bool, levels: Any, times: list[int], arrays: dict, full: bool):
        """`arrays`: noise and y ``[b, c, h, w]``, logits of the kernels ``[b, k, k]``, as tensors."""
        self.network, self.predicts_v, self.levels, self.times, self.full = network, predicts_v, levels, times, full
        self.noise, self.logits = (arrays[name].requires_grad_() for name in ("noise", "logits"))
        self.y = arrays["y"]
        rates = [{"params": [self.noise], "lr": 3e-3}, {"params": [self.logits], "lr": 2e-4}]
        self.adam = torch.optim.Adam(rates)

    def predict(self, x: Any, t: int) -> Any:
        """The noise in x at time t."""
        output = self.network(x, torch.full((len(x),), float(t), device=x.device))[:, : x.shape[1]].to(x.dtype)
        level = self.levels[t]
        return level.sqrt() * output + (1 - level).sqrt() * x if self.predicts_v else output

    def descend(self, x: Any, t: int, following: int | None) -> Any:
        """One DDIM step."""
        level = self.levels[t]
        next_level = torch.ones_like(level) if following is None else self.levels[following]
        if self.full:
            eps = self.predict(x, t)
        else:
            with torch.no_grad():
                eps = self.predict(x, t)
        x0 = ((x - (1 - level).sqrt() * eps) / level.sqrt()).clamp(-1, 1)
        eps = (x - level.sqrt() * x0) / (1 - level).sqrt()
        return next_level.sqrt() * x0 + (1 - next_level).sqrt() * eps

    def iterate(self) -> float:
        """One iteration; the mean square residual before it, which waits for the device."""
        x = self.noise
        for t, following in zip(self.times, [*self.times[1:], None], strict=True):
            if self.full:
                x = checkpoint.checkpoint(self.descend, x, t, following, use_reentrant=False)
            else:
                x = self.descend(x, t, following)
        b, k = len(x), self.logits.shape[-1]
        kernels = self.logits.flatten(1).softmax(1).reshape(b, 1, k, k).flip(2, 3)
        blurred = F.conv2d(x.transpose(0, 1), kernels, padding=k // 2, groups=b).transpose(0, 1)
        loss = ((blurred - self.y) ** 2).mean((1, 2, 3)).sum()  # images apart: each has its own gradient
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        with torch.no_grad():
            numbers = self.noise[0].numel()
            self.noise *= math.sqrt(numbers) / self.noise.flatten(1).norm(dim=1)[:, None, None, None]
        return float(loss.detach()) / b
