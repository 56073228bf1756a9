"""Priors in the latent space of an image autoencoder (Rombach et al. 2022): G is the decoder after the unroll.

The noise lives in the latent space, and the operator acts on the decoded image.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Array, Float

from jaxrestore._pytree import register


@register
@dataclass(frozen=True)
class LatentSpace:
    """An autoencoder with its weights, `shape` ``(h, w, c)`` that of a latent.

    ``decoder(parameters, latent [b, h, w, c]) -> image`` and ``encoder(parameters, image) -> latent``, images in [-1, 1],
    latents in the units of the diffusion model.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> enlarge = lambda parameters, latent: jnp.repeat(jnp.repeat(latent, 2, 1), 2, 2)
    >>> reduce = lambda parameters, image: image[:, ::2, ::2]
    >>> space = LatentSpace(None, enlarge, reduce, (4, 4, 3))
    >>> unet = jr.gaussian_prior(jnp.zeros((4, 4, 3)), 0.5)
    >>> prior = jr.Prior(unet.network, unet.parameters, unet.schedule, (8, 8, 3), latent=space)
    >>> jr.unroll(prior, jax.random.normal(jax.random.key(0), prior.noise_shape)).shape
    (8, 8, 3)
    """

    parameters: Any
    decoder: Callable = field(metadata={"static": True})
    encoder: Callable = field(metadata={"static": True})
    shape: tuple[int, int, int] = field(metadata={"static": True})

    def decode(self, latent: Float[Array, "*b h w c"]) -> Float[Array, "*b H W C"]:
        """The image of a latent."""
        flat = latent.reshape(-1, *latent.shape[-3:])
        image = self.decoder(self.parameters, flat)
        return image.reshape(*latent.shape[:-3], *image.shape[1:])

    def encode(self, image: Float[Array, "*b H W C"]) -> Float[Array, "*b h w c"]:
        """The latent of an image, of which `decode` gives about the image."""
        flat = image.reshape(-1, *image.shape[-3:])
        latent = self.encoder(self.parameters, flat)
        return latent.reshape(*image.shape[:-3], *latent.shape[1:])


@dataclass(frozen=True)
class Decoding:
    """The decoder of an autoencoder of `networks`, for latents in the units of the diffusion model; static."""

    autoencoder: Any

    def __call__(self, parameters: Any, latent: Array) -> Array:
        return self.autoencoder.decode(parameters, self.autoencoder.unscaled(latent))


@dataclass(frozen=True)
class Encoding:
    """Its encoder, of a Gaussian code the mean."""

    autoencoder: Any

    def __call__(self, parameters: Any, image: Array) -> Array:
        code = self.autoencoder.encode(parameters, image)
        mean = code[0] if isinstance(code, tuple) else code  # an array has a method of that name
        return self.autoencoder.scaled(mean)


def latent_space(autoencoder: Any, parameters: Any, height: int, width: int) -> LatentSpace:
    """The latent space of an autoencoder of `networks` (AutoencoderKL, VQModel) for images of that size."""
    shape = autoencoder.latent_shape(height, width)
    return LatentSpace(parameters, Decoding(autoencoder), Encoding(autoencoder), shape)
