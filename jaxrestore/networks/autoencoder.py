"""What image autoencoders share: a config that hashes by value, as the U-Nets' do, and its parameters by halves."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaxrestore.errors import InputError
from jaxrestore.networks.layers import Layers, UNet, _NoKeys

HalfName = Literal["encoding", "decoding"]
_fresh: Any = UNet.init  # asks for no more of a network than `shapes()`


@dataclass(frozen=True)
class Autoencoder:
    """The part of an autoencoder's config that is about numbers, and what every autoencoder can do.

    Images are ``[b, h, w, channels]`` with h and w divisible by `stride`, latents ``[b, h / stride, w / stride, c]`` with c
    as `latent_shape` has it. Each level but the last halves the size; its `layers_per_block` residual blocks (one more in
    the decoder) are followed by attention at the levels in `encoder_attention` and `decoder_attention`, both counted in the
    order in which they are run, and at the lowest size where `mid_attention` says so: all positions see all others, so
    memory there grows with the square of the latent's area (64 x 64: 64 MiB an image). `dtype`, `precision` and `remat` as
    in `layers.UNet`; with `force_upcast` all is computed in float32, whatever `dtype` says. `scaling_factor` and
    `shift_factor`, a number or one for each channel, lie between an autoencoder's latents and those that a diffusion model
    was trained on: `scaled`, `unscaled`. InputError for numbers that make up no network.
    """

    channels: int = 3
    out_channels: int = 3
    block_out_channels: tuple[int, ...] = (64,)
    layers_per_block: int = 1
    latent_channels: int = 4
    groups: int = 32
    mid_attention: bool = True
    encoder_attention: tuple[int, ...] = ()
    decoder_attention: tuple[int, ...] = ()
    scaling_factor: float | tuple[float, ...] = 1.0
    shift_factor: float | tuple[float, ...] = 0.0
    force_upcast: bool = False
    norm_eps: float = 1e-6
    dtype: str = "float32"
    precision: str | None = None
    remat: bool = False

    def __post_init__(self) -> None:
        counts = [(name, getattr(self, name)) for name in ("channels", "out_channels", "latent_channels")]
        counts += [("layers_per_block", self.layers_per_block), ("groups", self.groups)]
        require_counts(counts + [("each of block_out_channels", width) for width in self.block_out_channels])
        if not self.block_out_channels or any(width % self.groups for width in self.block_out_channels):
            raise InputError(
                f"block_out_channels must be widths divisible by the {self.groups} groups, not {self.block_out_channels}."
            )
        for name in ("scaling_factor", "shift_factor"):
            value = getattr(self, name)
            values = value if isinstance(value, tuple) else (value,)
            if isinstance(value, tuple) and len(value) != self.latent_width:
                raise InputError(f"{name} must be one number, or one for each of {self.latent_width} channels.")
            if any(not math.isfinite(number) or (number == 0 and name == "scaling_factor") for number in values):
                raise InputError(f"{name} must be finite, and a scaling factor not zero: not {value}.")

    @property
    def stride(self) -> int:
        """How many pixels a latent's position stands for, in each direction."""
        return 2 ** (len(self.block_out_channels) - 1)

    @property
    def latent_width(self) -> int:
        """The channels of a latent."""
        return self.latent_channels

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """``(h, w, c)`` of the latent of an image of that size. InputError for sides that `stride` doesn't divide."""
        if height % self.stride or width % self.stride:
            raise InputError(f"This autoencoder needs image sides divisible by {self.stride}, not {height} x {width}.")
        return height // self.stride, width // self.stride, self.latent_width

    def scaled(self, latent: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        """A latent in the units of the diffusion model, of variance about one: (latent - shift) * scale."""
        shift, scale = (jnp.asarray(factor, latent.dtype) for factor in (self.shift_factor, self.scaling_factor))
        return (latent - shift) * scale

    def unscaled(self, latent: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        """What the decoder takes, of a latent in the units of the diffusion model: the inverse of `scaled`."""
        shift, scale = (jnp.asarray(factor, latent.dtype) for factor in (self.shift_factor, self.scaling_factor))
        return latent / scale + shift

    def shapes(self) -> dict:
        """The nested dict of ShapeDtypeStructs that `parameters` must match."""
        return self.half_shapes("encoding") | self.half_shapes("decoding")

    def half_shapes(self, half: HalfName) -> dict:
        """The part of `shapes` that encoding or decoding needs: a dict with the entries of one half runs that half."""
        return nnx.to_pure_dict(nnx.state(_abstract(_Half(self, half))))

    def init(self, key: Array) -> dict:
        """Fresh parameters: weights normal with variance 1 / fan-in, norms one, biases zero."""
        return _fresh(self, key)

    def modules(self, layers: Layers, half: HalfName) -> dict[str, nnx.Module]:
        """The Flax modules of one half, by the first part of their parameters' names."""
        raise NotImplementedError

    def merged(self, half: HalfName, parameters: Any) -> Any:
        """The modules of one half with their parameters."""
        return nnx.merge(_graph(_Half(self, half)), {name: parameters[name] for name in self.half_shapes(half)})


def require_counts(counts: list[tuple[str, Any]]) -> None:
    """InputError that names the first of (name, number) which is no positive whole number."""
    for name, number in counts:
        if type(number) is not int or number < 1:
            raise InputError(f"{name} must be a positive whole number, not {number!r}.")


def require_channels(array: Array, channels: int, what: str) -> None:
    """InputError unless an image or latent has the channels that a network takes."""
    if array.shape[-1] != channels:
        raise InputError(f"This autoencoder takes {what} of {channels} channels, not {array.shape[-1]}.")


@dataclass(frozen=True)
class _Half:
    autoencoder: Autoencoder
    name: HalfName

    def module(self, rngs: Any) -> nnx.Module:
        config = self.autoencoder
        dtype = "float32" if config.force_upcast else config.dtype
        numbers = {"groups": config.groups, "norm_eps": config.norm_eps, "precision": config.precision}
        layers = Layers(UNet(dtype=dtype, remat=config.remat, **numbers), rngs)
        return nnx.Dict(config.modules(layers, self.name))


@cache
def _abstract(half: _Half) -> nnx.Module:
    return nnx.eval_shape(lambda: half.module(_NoKeys()))


@cache
def _graph(half: _Half) -> Any:
    return nnx.split(_abstract(half))[0]
