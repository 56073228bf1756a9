"""Denoising networks: frozen configs that are functions ``(parameters, x, t) -> output``, one file per architecture."""

from typing import Any

from jaxrestore.networks.adm_unet import ADMUNet
from jaxrestore.networks.ddpm_unet import DDPMUNet

ARCHITECTURES: dict[str, Any] = {"ddpm": DDPMUNet, "adm": ADMUNet}  # the names that a prior's card uses

__all__ = ["ARCHITECTURES", "ADMUNet", "DDPMUNet"]
