"""Image autoencoders of diffusers' folders (`vae/`, `vqvae/`), and whole folders of unconditional latent models."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from checkpoints_convert import diffusers
from checkpoints_convert.autoencoder_configs import network_of
from checkpoints_convert.parameters import parameters_from
from checkpoints_convert.plan import Plan, plan
from checkpoints_convert.readers import read
from checkpoints_convert.schedulers import Scheduler, read_json, read_scheduler, shown
from checkpoints_convert.select import state_dict
from checkpoints_convert.tensors import ConversionError, Tensor, understood
from jaxrestore.networks.autoencoder import Autoencoder

PLACES = ("vqvae", "vae")  # where a pipeline's folder has its autoencoder
OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}  # before diffusers 0.15


class LatentModel(NamedTuple):
    """What a prior in a latent space is made of."""

    plan: Plan  # the U-Net over latents in the diffusion's units, its schedule, what it predicts
    parameters: dict  # the U-Net's
    autoencoder: Autoencoder
    autoencoder_parameters: dict
    scheduler: Scheduler | None  # clip, grid; None: the folder has none, and the schedule is the config's
    latent_shape: tuple[int, int, int]
    image_shape: tuple[int, int, int]


def autoencoder_folder(source: str | Path) -> Path | None:
    """The folder in a pipeline's that holds its autoencoder, or None. ConversionError where there are two."""
    there = [Path(source) / place for place in PLACES if (Path(source) / place / "config.json").is_file()]
    if len(there) > 1:
        raise ConversionError(f"{source} holds two autoencoders: {there[0].name} and {there[1].name}.")
    return there[0] if there else None


def read_latent_model(
    source: str | Path,
    config: dict[str, Any] | None = None,
    *,
    key: str | None = None,
    use_ema: bool = False,
    dtype: Any = np.float32,
) -> LatentModel:
    """The parts of an unconditional latent model in a diffusers folder: `unet/`, `vqvae/` or `vae/`, `scheduler/`.

    `config`, `key`, `use_ema` are about the U-Net, as in `convert`; `dtype` is that of both networks' parameters. ReadError
    where a file can't be read, ConversionError where the parts don't make up networks, or not ones that fit together.
    """
    source = Path(source)
    place = autoencoder_folder(source)
    if place is None:
        raise ConversionError(f"{source} holds no autoencoder: there is neither {' nor '.join(PLACES)}.")
    autoencoder, tensors = _network(place)
    with _converting(source):
        scheduled = {"schedule", "prediction"} <= (config or {}).keys()
        folder = diffusers.read_folder(source, use_ema, scheduled)
        unet = diffusers.rename(state_dict(read(folder.weights), key, use_ema), len(folder.arguments["ch_mult"]))
        planned = plan(unet, config, folder)
        network, channels = planned.network, autoencoder.latent_width
        if network.channels != channels or network.out_channels != channels:
            raise ConversionError(
                f"The U-Net takes {network.channels} and gives {network.out_channels} channels, a latent has {channels}."
            )
        parameters = parameters_from(unet, network, dtype)
        scheduler = None if scheduled else read_scheduler(source)
    with _converting(place):
        of_autoencoder = parameters_from(tensors, autoencoder, dtype)
    side, pixels = network.image_size, network.image_size * autoencoder.stride
    shapes = (side, side, channels), (pixels, pixels, autoencoder.out_channels)
    return LatentModel(planned, parameters, autoencoder, of_autoencoder, scheduler, *shapes)


def read_autoencoder(folder: str | Path, dtype: Any = np.float32) -> tuple[Autoencoder, dict]:
    """(network, parameters) of a folder with config.json and weights, as `vae/` and `vqvae/` are.

    ReadError where a file can't be read, ConversionError where tensors and config don't make up a known autoencoder.
    """
    network, tensors = _network(Path(folder))
    with _converting(Path(folder)):
        return network, parameters_from(tensors, network, dtype)


@contextmanager
def _converting(place: Path) -> Iterator[None]:
    """A ConversionError inside says which folder it is about."""
    try:
        yield
    except ConversionError as error:
        raise ConversionError(f"{place} can't be converted. {error}") from error


def _network(folder: Path) -> tuple[Autoencoder, dict[str, Tensor]]:
    """An autoencoder with its tensors, of which none is read."""
    config, content = read_json(folder / "config.json"), read(diffusers.weights_in(folder))
    with _converting(folder), understood("Its config.json"):
        tensors, network = renamed(content), network_of(config)
        _enough(tensors, network)
        network.shapes()
    return network, tensors


def renamed(content: Any) -> dict[str, Tensor]:
    """The tensors of a file under the names of today; ConversionError where it holds something else."""
    if not isinstance(content, Mapping) or any(type(tensor) is not Tensor for tensor in content.values()):
        raise ConversionError("The weights are no dict of tensors.")
    tensors: dict[str, Tensor] = {}
    for name, tensor in content.items():
        new = re.sub(r"(?<=\.)(query|key|value|proj_attn)(?=\.)", lambda match: OLD[match[1]], str(name))
        if new in tensors:
            raise ConversionError(f"Two tensors mean {shown(new)}.")
        tensors[new] = tensor
    return tensors


def _enough(tensors: Mapping[str, Any], network: Autoencoder) -> None:
    """No small file may ask for a large network: a residual block has at least eight tensors."""
    levels, layers = len(network.block_out_channels), network.layers_per_block
    if 8 * (levels * (2 * layers + 1) + 4) > len(tensors):
        raise ConversionError(
            f"{len(tensors)} tensors are too few for {levels} levels of {layers} layers_per_block: some are missing."
        )
