"""Denoising networks: frozen configs that are functions ``(parameters, x, t) -> output``, one file per architecture."""

from typing import Any

from jaxrestore.networks.adm_unet import ADMUNet
from jaxrestore.networks.autoencoder_kl import AutoencoderKL
from jaxrestore.networks.ddpm_unet import DDPMUNet
from jaxrestore.networks.ffdnet import Photographs
from jaxrestore.networks.hourglass import Hourglass
from jaxrestore.networks.keras_unet import KerasUNet
from jaxrestore.networks.vq_model import VQModel

ARCHITECTURES: dict[str, Any] = {  # the names that a prior's card uses
    "ddpm": DDPMUNet,
    "adm": ADMUNet,
    "keras": KerasUNet,
    "photographs": Photographs,
}
AUTOENCODERS: dict[str, Any] = {"autoencoder_kl": AutoencoderKL, "vq_model": VQModel}  # of latent models, likewise

__all__ = [
    "ARCHITECTURES",
    "AUTOENCODERS",
    "ADMUNet",
    "AutoencoderKL",
    "DDPMUNet",
    "Hourglass",
    "KerasUNet",
    "Photographs",
    "VQModel",
]
