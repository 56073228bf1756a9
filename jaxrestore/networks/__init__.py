"""Denoising networks: frozen configs that are functions ``(parameters, x, t) -> output``, one file per architecture."""

from jaxrestore.networks.ddpm_unet import DDPMUNet

ARCHITECTURES = {"ddpm": DDPMUNet}  # the names that a prior's card uses

__all__ = ["ARCHITECTURES", "DDPMUNet"]
