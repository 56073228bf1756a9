"""The autoencoder with a codebook of latent diffusion (Esser et al. 2021, Rombach et al. 2022), diffusers' `VQModel`."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from jaxrestore.networks.autoencoder import Autoencoder, HalfName, require_channels, require_counts
from jaxrestore.networks.autoencoder_layers import Decoder, Encoder
from jaxrestore.networks.layers import Layers


@dataclass(frozen=True)
class VQModel(Autoencoder):
    """An autoencoder whose decoder takes entries of a codebook, `num_vq_embeddings` vectors of `vq_embed_dim` numbers
    (None: as many as `latent_channels`): each position of a latent is replaced by the nearest. See `Autoencoder`.

    >>> import jax, jax.numpy as jnp
    >>> network = VQModel(block_out_channels=(8, 16), groups=4, num_vq_embeddings=5)
    >>> parameters = network.init(jax.random.key(0))
    >>> latent = network.encode(parameters, jnp.zeros((1, 8, 12, 3)))
    >>> network.decode(parameters, latent).shape
    (1, 8, 12, 3)
    """

    latent_channels: int = 3
    num_vq_embeddings: int = 256
    vq_embed_dim: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_counts([("num_vq_embeddings", self.num_vq_embeddings), ("vq_embed_dim", self.latent_width)])

    @property
    def latent_width(self) -> int:
        return self.latent_channels if self.vq_embed_dim is None else self.vq_embed_dim

    @partial(jax.jit, static_argnums=0, static_argnames="quantise")
    def decode(
        self, parameters: Any, latent: Float[Array, "b h w c"], *, quantise: bool = True
    ) -> Float[Array, "b h_ w_ o"]:
        """The image of a latent in the autoencoder's own units (`unscaled`), by way of the codebook unless `quantise` is
        False. The derivative passes the codebook as if it weren't there (straight-through). InputError for other channels."""
        require_channels(latent, self.latent_width, "latents")
        part = self.merged("decoding", parameters)
        x = self.quantise(parameters, latent) if quantise else latent
        return part["decoder"](part["post_quant_conv"](x)).astype(latent.dtype)

    @partial(jax.jit, static_argnums=0)
    def encode(self, parameters: Any, image: Float[Array, "b h w c"]) -> Float[Array, "b h_ w_ e"]:
        """The latent of an image, not quantised, in the autoencoder's own units. InputError for sides that `stride`
        doesn't divide, or other channels."""
        require_channels(image, self.channels, "images")
        self.latent_shape(*image.shape[1:3])
        part = self.merged("encoding", parameters)
        return part["quant_conv"](part["encoder"](image)).astype(image.dtype)

    @partial(jax.jit, static_argnums=0)
    def quantise(self, parameters: Any, latent: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """The nearest entry of the codebook for each position; its derivative is the identity."""
        entries = parameters["quantize"]["embedding"]["embedding"].astype(latent.dtype)
        return latent + jax.lax.stop_gradient(entries[nearest(entries, latent)] - latent)

    def modules(self, layers: Layers, half: HalfName) -> dict[str, nnx.Module]:
        c, e = self.latent_channels, self.latent_width
        if half == "encoding":
            return {"encoder": Encoder(layers, self, c), "quant_conv": layers.conv(c, e, size=1)}
        codebook = nnx.Dict({"embedding": layers.embed(self.num_vq_embeddings, e)})
        return {"quantize": codebook, "post_quant_conv": layers.conv(e, c, size=1), "decoder": Decoder(layers, self)}


def nearest(entries: Float[Array, "n c"], latent: Float[Array, "b h w c"]) -> Int[Array, "b h w"]:
    """Which entry has the least Euclidean distance to each position, the first of several; a row of the latent at a time,
    so that the distances need ``w n`` numbers of memory."""
    entries = entries.astype(jnp.float32)
    half_norms = jnp.sum(entries**2, axis=-1) / 2

    def of_row(row: Float[Array, "w c"]) -> Int[Array, " w"]:
        return jnp.argmin(half_norms - jnp.matmul(row, entries.T, precision="highest"), axis=-1)

    b, h, w, c = latent.shape
    return jax.lax.map(of_row, latent.astype(jnp.float32).reshape(b * h, w, c)).reshape(b, h, w)
