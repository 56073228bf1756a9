"""Bring U-Nets of PyTorch and TensorFlow.js to jaxrestore: neither is needed, nothing in a file is executed.

``python -m checkpoints_convert SOURCE OUT``, ``jaxrestore convert SOURCE OUT``, or `convert` from Python.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from checkpoints_convert import diffusers, tfjs
from checkpoints_convert.autoencoders import autoencoder_folder, read_latent_model
from checkpoints_convert.configs import read_config
from checkpoints_convert.keras_unet import read_keras
from checkpoints_convert.parameters import check, parameters_from
from checkpoints_convert.plan import Plan, plan
from checkpoints_convert.readers import read
from checkpoints_convert.select import state_dict
from checkpoints_convert.sources import files_read
from checkpoints_convert.tensors import ConversionError, ReadError, Tensor
from checkpoints_convert.torch_files import read_torch
from jaxrestore.diffusion.checksums import file_sha256
from jaxrestore.diffusion.latents import latent_space
from jaxrestore.diffusion.places import refuse_existing
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.storage import save_prior
from jaxrestore.diffusion.tuned import Tuned
from jaxrestore.errors import InputError

__all__ = [
    "ConversionError",
    "Plan",
    "ReadError",
    "Tensor",
    "check",
    "convert",
    "convert_to",
    "files_read",
    "parameters_from",
    "plan",
    "read",
    "read_config",
    "read_torch",
    "state_dict",
]


def convert(
    source: str | Path,
    config: dict[str, Any] | None = None,
    *,
    key: str | None = None,
    use_ema: bool = False,
    dtype: Literal["float32", "bfloat16", "source"] = "float32",
    name: str | None = None,
) -> Prior:
    """The prior in a PyTorch file (torch's two formats, safetensors), in a diffusers folder of a `UNet2DModel` (with
    `vae/` or `vqvae/` beside it: a prior in that latent space), or in a
    TensorFlow.js folder (``model.json`` and shards) of the U-Net of the Keras documentation's DDPM example.

    What the tensors can't tell comes from a table of well-known files, or from `config`: a dict (`read_config` reads one)
    with any of ``architecture``, ``config`` (arguments by their published names), ``schedule`` ("linear 1e-4..0.02, T=1000"),
    ``prediction``. `key` or `use_ema` choose where a file holds several networks (`select.state_dict`); `dtype` is that of
    the parameters; those of "source" are only for `save_prior`, which writes 8 and 16 bits as the file has them. ReadError
    where a file can't be read, ConversionError where its tensors or the config don't make up a network: the message lists
    every tensor that is missing, foreign, misshapen or not finite. Reads files: not for jit.
    """
    source = Path(source)
    if source.is_dir() and autoencoder_folder(source) is not None:
        model = read_latent_model(source, config, key=key, use_ema=use_ema, dtype=dtype)
        space = latent_space(model.autoencoder, model.autoencoder_parameters, *model.image_shape[:2])
        planned = model.plan
        about = (planned.schedule, model.image_shape, planned.prediction, name or source.stem)
        return Prior(planned.network, model.parameters, *about, latent=space)
    folder = None
    try:
        if (source / tfjs.MODEL).is_file():
            tensors, folder = read_keras(source, config)
            if key is not None:
                raise ConversionError(f"A graph holds one network, and none under {key!r}.")
        else:
            scheduled = {"schedule", "prediction"} <= (config or {}).keys()
            folder = diffusers.read_folder(source, use_ema, scheduled) if source.is_dir() else None
            tensors = state_dict(read(source if folder is None else folder.weights), key, use_ema)
            if folder is not None:
                tensors = diffusers.rename(tensors, len(folder.arguments["ch_mult"]))
        made = plan(tensors, config, folder)
        parameters = parameters_from(tensors, made.network, dtype)
    except ConversionError as error:
        raise ConversionError(f"{source} can't be converted. {error}") from error
    network = made.network
    shape = (network.image_size, network.image_size, network.channels)
    settings = Tuned() if folder is None else folder.settings
    return Prior(network, parameters, made.schedule, shape, made.prediction, name or source.stem, settings=settings)


def convert_to(
    source: str | Path,
    out: str | Path,
    config: dict[str, Any] | None = None,
    *,
    origin: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
    **chosen: Any,
) -> Prior:
    """Convert a source, and write the prior to the folder `out`; the prior.

    The card has the SHA-256 of every file that was read, beside their `origin`, and what is said `about` the prior. Raises
    what `convert`, whose keywords are `chosen`, and `save_prior` raise.
    """
    about = dict(about or {})
    if "source" in about:
        raise InputError("The card's `source` says which files were read: leave it out of what is said about it.")
    refuse_existing(Path(out))  # before the work
    prior = convert(source, config, **chosen)
    digests = {name: file_sha256(path) for name, path in files_read(source, bool(chosen.get("use_ema"))).items()}
    save_prior(prior, out, source={**(origin or {}), "files": digests}, **about)
    return prior
