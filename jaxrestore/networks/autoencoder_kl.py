"""The autoencoder with a Gaussian code of latent diffusion (Rombach et al. 2022), diffusers' `AutoencoderKL`."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaxrestore.networks.autoencoder import Autoencoder, HalfName, require_channels
from jaxrestore.networks.autoencoder_layers import Decoder, Encoder
from jaxrestore.networks.layers import Layers


class Moments(NamedTuple):
    """The Gaussian that an image's latent has, for each of its entries."""

    mean: Float[Array, "b h w c"]
    logvar: Float[Array, "b h w c"]  # in [-30, 20]


@dataclass(frozen=True)
class AutoencoderKL(Autoencoder):
    """An autoencoder whose encoder gives a Gaussian. See `Autoencoder`; the two 1 x 1 convolutions beside the latent
    are left out where `use_quant_conv` and `use_post_quant_conv` say so.

    >>> import jax, jax.numpy as jnp
    >>> network = AutoencoderKL(block_out_channels=(8, 16), groups=4)
    >>> parameters = network.init(jax.random.key(0))
    >>> network.encode(parameters, jnp.zeros((1, 8, 12, 3))).mean.shape
    (1, 4, 6, 4)
    >>> network.decode(parameters, jnp.zeros((1, 4, 6, 4))).shape
    (1, 8, 12, 3)
    """

    scaling_factor: float | tuple[float, ...] = 0.18215
    force_upcast: bool = True
    use_quant_conv: bool = True
    use_post_quant_conv: bool = True

    @partial(jax.jit, static_argnums=0)
    def decode(self, parameters: Any, latent: Float[Array, "b h w c"]) -> Float[Array, "b h_ w_ o"]:
        """The image of a latent in the autoencoder's own units (`unscaled`). InputError for other channels."""
        require_channels(latent, self.latent_channels, "latents")
        part = self.merged("decoding", parameters)
        x = part["post_quant_conv"](latent) if self.use_post_quant_conv else latent
        return part["decoder"](x).astype(latent.dtype)

    @partial(jax.jit, static_argnums=0)
    def encode(self, parameters: Any, image: Float[Array, "b h w c"]) -> Moments:
        """The Gaussian of an image's latent, in the autoencoder's own units. InputError for sides that `stride` doesn't
        divide, or other channels."""
        require_channels(image, self.channels, "images")
        self.latent_shape(*image.shape[1:3])
        part = self.merged("encoding", parameters)
        x = part["encoder"](image)
        x = (part["quant_conv"](x) if self.use_quant_conv else x).astype(image.dtype)
        mean, logvar = jnp.split(x, 2, axis=-1)
        return Moments(mean, jnp.clip(logvar, -30.0, 20.0))

    def modules(self, layers: Layers, half: HalfName) -> dict[str, nnx.Module]:
        c = self.latent_channels
        if half == "encoding":
            quant_conv = {"quant_conv": layers.conv(2 * c, 2 * c, size=1)} if self.use_quant_conv else {}
            return {"encoder": Encoder(layers, self, 2 * c), **quant_conv}
        post_quant_conv = {"post_quant_conv": layers.conv(c, c, size=1)} if self.use_post_quant_conv else {}
        return {"decoder": Decoder(layers, self), **post_quant_conv}
