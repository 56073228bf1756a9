"""What the U-Nets share: a config that is a function, the layers of one config, embeddings, attention, resampling.

A network is a frozen dataclass that hashes by value, so programs compile once per architecture and not once per set of
weights. Its parameters are a nested dict with string keys, named as the tensors of the published files.
"""

from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaxrestore.errors import InputError
from jaxrestore.networks.channels_last import convolution

TimeEmbedding = Literal["sin_cos", "cos_sin"]


@dataclass(frozen=True)
class UNet:
    """The part of a U-Net's config that is about numbers, and what every config can do. Subclasses say what is computed.

    ``dtype`` is that of the computation ("float32" or "bfloat16"; parameters stay float32, norms and softmax are taken in
    float32); ``precision`` that of its products: "highest" for float32 throughout where the hardware's default is less.
    ``remat``: blocks are computed again on the way back instead of being kept, for gradients with respect to parameters.
    ``dropout``: the share of each residual block's features that is left out at random, where the call is given a key.
    """

    image_size: int = 256
    channels: int = 3
    out_channels: int = 3
    groups: int = 32
    norm_eps: float = 1e-6
    dtype: str = "float32"
    precision: str | None = None
    remat: bool = False
    dropout: float = 0.0

    @property
    def stride(self) -> int:
        """What image sides must be divisible by."""
        raise NotImplementedError

    def module(self, rngs: Any) -> nnx.Module:
        """The Flax module of this config."""
        raise NotImplementedError

    @partial(jax.jit, static_argnums=0)
    def __call__(self, parameters, x: Float[Array, "b h w c"], t: Any, label=None, key=None) -> Float[Array, "b h w o"]:
        """The output at times `t`, ``[]`` or ``[b]``, of classes `label` where the network knows any; `key` draws dropout."""
        if x.shape[1] % self.stride or x.shape[2] % self.stride:
            raise InputError(
                f"This network needs image sides divisible by {self.stride}, not {x.shape[1]} x {x.shape[2]}."
            )
        module: Any = nnx.merge(_graph(self), parameters)
        return module(x, jnp.atleast_1d(t), label, key).astype(x.dtype)

    def shapes(self) -> dict:
        """The nested dict of ShapeDtypeStructs that `parameters` must match."""
        return nnx.to_pure_dict(nnx.state(_abstract(self)))

    def init(self, key: Array) -> dict:
        """Fresh parameters: weights normal with variance 1 / fan-in, norms one, biases zero.

        One draw for all: initialising layer by layer takes XLA a minute to compile.
        """
        leaves, structure = jax.tree_util.tree_flatten_with_path(self.shapes())
        random = [leaf for path, leaf in leaves if path[-1].key in ("kernel", "embedding")]
        draw = jax.random.normal(key, (sum(leaf.size for leaf in random),), jnp.float32)
        parameters, start = [], 0
        for path, leaf in leaves:
            if path[-1].key not in ("kernel", "embedding"):
                parameters.append(jnp.full(leaf.shape, float(path[-1].key == "scale"), jnp.float32))
                continue
            fan_in = leaf.size // leaf.shape[-1] if path[-1].key == "kernel" else 1
            parameters.append(draw[start : start + leaf.size].reshape(leaf.shape) / fan_in**0.5)
            start += leaf.size
        return jax.tree.unflatten(structure, parameters)


class _NoKeys:
    """In the place of `nnx.Rngs` where every initialiser is a constant: counting keys in a trace takes quadratic time."""

    def params(self) -> None:
        return None


@cache
def _abstract(config: UNet) -> nnx.Module:
    return nnx.eval_shape(lambda: config.module(_NoKeys()))


@cache
def _graph(config: UNet):
    return nnx.split(_abstract(config))[0]


class Layers:
    """Makes the layers of one config, so that dtype, precision, groups and epsilon are said once.

    Initialisers are constants: only shapes are ever made here, and `UNet.init` draws the numbers.
    """

    def __init__(self, config: UNet, rngs: Any):
        self.config: Any = config
        self.dropouts = 0
        self.numbers = {"dtype": jnp.dtype(config.dtype), "param_dtype": jnp.float32, "rngs": rngs}
        self.products = {**self.numbers, "precision": config.precision, "kernel_init": nnx.initializers.zeros}

    def conv(self, inputs: int, outputs: int, size: int = 3, strides: int = 1, padding: Any = "SAME") -> nnx.Conv:
        how = {"strides": strides, "padding": padding, "conv_general_dilated": convolution}
        return nnx.Conv(inputs, outputs, (size, size), **how, **self.products)

    def dense(self, inputs: int, outputs: int) -> nnx.Linear:
        return nnx.Linear(inputs, outputs, **self.products)

    def norm(self, channels: int) -> nnx.GroupNorm:
        groups, epsilon = self.config.groups, self.config.norm_eps
        # E[x^2] - E[x]^2 reads the features once instead of twice, and loses less than bfloat16 has lost already
        fast = self.config.dtype == "bfloat16"
        return nnx.GroupNorm(channels, groups, epsilon=epsilon, use_fast_variance=fast, **self.numbers)

    def dropout(self) -> "Dropout":
        if not 0 <= self.config.dropout < 1:
            raise InputError(f"dropout must lie in [0, 1), not {self.config.dropout}.")
        self.dropouts += 1
        return Dropout(self.config.dropout, self.dropouts)

    def embed(self, number: int, features: int) -> nnx.Embed:
        return nnx.Embed(number, features, embedding_init=nnx.initializers.zeros, **self.numbers)


class Dropout(nnx.Module):
    """Features left out at random, the others scaled up; nothing without a key. `number` tells one from another."""

    def __init__(self, rate: float, number: int):
        self.rate, self.number = rate, number

    def __call__(self, x: Array, key: Array | None) -> Array:
        if key is None or not self.rate:
            return x
        kept = jax.random.bernoulli(jax.random.fold_in(key, self.number), 1 - self.rate, x.shape)
        return jnp.where(kept, x / (1 - self.rate), 0)


def numbered(modules) -> Any:
    """Modules under "0", "1", ...: string keys, since a parameter's path is text."""
    return nnx.Dict({str(i): module for i, module in enumerate(modules)})


def run(remat: bool, module: Any, *arguments: Any) -> Any:
    """The module on its arguments; with `remat`, nothing inside it is kept for the backward pass."""
    return nnx.remat(lambda module, *arguments: module(*arguments))(module, *arguments) if remat else module(*arguments)


def timestep_embedding(t: Array, size: int, kind: TimeEmbedding = "sin_cos") -> Float[Array, "b size"]:
    """Sines and cosines of t at geometric frequencies from 1 down.

    "sin_cos": sines first, the last frequency 1e-4 (DDPM); "cos_sin": cosines first, the last one step short of it (ADM).
    """
    half = size // 2
    steps = half - 1 if kind == "sin_cos" else half
    frequencies = jnp.exp(-jnp.log(1e4) * jnp.arange(half, dtype=jnp.float32) / steps)
    angles = t.astype(jnp.float32)[:, None] * frequencies[None]
    parts = [jnp.sin(angles), jnp.cos(angles)]
    return jnp.concatenate(parts if kind == "sin_cos" else parts[::-1], axis=-1)


def divided(channels: int, heads: int, head_channels: int | None) -> int:
    """How many attention heads: of `head_channels`, or `heads` where that is None. InputError where channels don't divide."""
    if (head_channels is not None and (head_channels < 1 or channels % head_channels)) or heads < 1 or channels % heads:
        raise InputError(
            f"{channels} channels can't be divided into {heads} attention heads, or heads of {head_channels}."
        )
    return heads if head_channels is None else channels // head_channels


def attend(
    q: Float[Array, "b n h c"], k: Float[Array, "b n h c"], v: Float[Array, "b n h c"], precision: str | None
) -> Float[Array, "b n h c"]:
    """Attention of h heads over n positions, scaled by c^-1/2, softmax in float32."""
    if precision is None:  # whatever JAX is set to: a context of None would set it back
        return jax.nn.dot_product_attention(q, k, v)
    with jax.default_matmul_precision(precision):
        return jax.nn.dot_product_attention(q, k, v)


def enlarge(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """Twice the size, each pixel four times."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def average(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """Half the size, the means of 2 x 2 pixels."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


class ResBlock(nnx.Module):
    """Of the DDPM U-Nets (Ho et al. 2020): the time is added between two convolutions."""

    def __init__(self, layers: Layers, inputs: int, outputs: int):
        self.norm1, self.conv1 = layers.norm(inputs), layers.conv(inputs, outputs)
        self.temb_proj = layers.dense(4 * layers.config.ch, outputs)
        self.norm2, self.conv2 = layers.norm(outputs), layers.conv(outputs, outputs)
        if inputs != outputs:
            self.nin_shortcut = layers.conv(inputs, outputs, size=1)
        self.dropout = layers.dropout()

    def __call__(self, x, temb, key=None):
        h = self.conv1(nnx.silu(self.norm1(x)))
        h = h + self.temb_proj(nnx.silu(temb))[:, None, None, :]
        h = self.conv2(self.dropout(nnx.silu(self.norm2(h)), key))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)
