"""Priors whose network takes images of any size: at the size of the photograph that is to be restored."""

from dataclasses import replace

from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError


def takes_any_size(prior: Prior) -> bool:
    """Whether the prior's network takes images of any size.

    >>> import jax.numpy as jnp, jaxrestore as jr
    >>> takes_any_size(jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5))
    False
    """
    return prior.latent is None and getattr(prior.network, "any_size", False)


def sized(prior: Prior, height: int, width: int) -> Prior:
    """The prior over images ``[height, width, c]``; InputError where its network has a size of its own (see `tiled`).

    >>> import jaxrestore as jr
    >>> jr.sized(jr.load_prior("photos"), 120, 77).shape
    (120, 77, 3)
    """
    if (height, width) == prior.shape[:2]:
        return prior
    if not takes_any_size(prior):
        raise InputError(
            f"The prior {prior.name!r} restores images of {prior.shape[0]} x {prior.shape[1]} pixels, not of {height} x "
            f"{width}: jr.tiled makes one of larger images of it."
        )
    return replace(prior, shape=(height, width, prior.shape[2]))
