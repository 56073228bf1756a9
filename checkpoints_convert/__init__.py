"""Bring PyTorch U-Nets to jaxrestore: no PyTorch needed, nothing in a file is executed.

``python -m checkpoints_convert SOURCE OUT --config FILE``, or `convert` from Python.
"""

import json
import re
from pathlib import Path
from typing import Any

from checkpoints_convert.ddpm import ConversionError, parameters_from
from checkpoints_convert.readers import ReadError, read_torch
from jaxrestore import schedule
from jaxrestore.networks import DDPMUNet
from jaxrestore.prior import Prior

__all__ = ["ConversionError", "ReadError", "convert", "read_config", "read_torch"]


def convert(source: str | Path, config: dict[str, Any], name: str | None = None) -> Prior:
    """The prior in a torch state dict of a DDPM U-Net, described by a config (see `read_config`).

    ReadError where the file can't be read, ConversionError where its tensors or the config don't make up a network.
    """
    network, noise_schedule, prediction = _architecture(config)
    tensors = read_torch(source)
    if not isinstance(tensors, dict) or not all(hasattr(value, "shape") for value in tensors.values()):
        raise ReadError(f"{source} holds no plain dict of tensors.")
    shape = (network.image_size, network.image_size, network.channels)
    parameters = parameters_from(tensors, network)
    return Prior.create(network, parameters, noise_schedule, shape, prediction, name or Path(source).stem)


def read_config(path: str | Path) -> dict[str, Any]:
    """A config file: JSON with `architecture` "ddpm", its `config` in the published names, and the noise `schedule`."""
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ConversionError(f"The config {path} can't be read: {error}.") from error


def _architecture(config: dict[str, Any]) -> tuple[DDPMUNet, schedule.Schedule, Any]:
    if config.get("architecture") != "ddpm":
        raise ConversionError(f"The architecture {config.get('architecture')!r} is not known; known: 'ddpm'.")
    missing = {"in_channels", "out_ch", "image_size"} - config.get("config", {}).keys()
    if missing:
        raise ConversionError(f"The config lacks {', '.join(sorted(missing))}.")
    published: dict[str, Any] = dict(config["config"])
    prediction, patch = published.pop("prediction", "noise"), published.pop("patch_size", 1)
    inputs, outputs = published.pop("in_channels"), published.pop("out_ch")
    image_size, groups = published.pop("image_size"), published.pop("norm_groups", 32)
    rest: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in published.items()
    }
    try:
        network = DDPMUNet(
            image_size=image_size * patch,  # the published names count after patching
            channels=inputs // patch**2,
            out_channels=outputs // patch**2,
            groups=groups,
            patch_size=patch,
            **rest,
        )
    except TypeError as error:
        raise ConversionError(f"The config has a name that the DDPM U-Net doesn't know: {error}.") from error
    return network, _schedule(config.get("schedule", "linear 1e-4..0.02, T=1000")), prediction


def _schedule(text: str) -> schedule.Schedule:
    """A schedule written as "linear 1e-4..0.02, T=1000"."""
    match = re.fullmatch(r"(linear|scaled_linear) ([\d.e-]+?)\.\.([\d.e-]+), T=(\d+)", text)
    if match is None:
        raise ConversionError(f"The schedule {text!r} is not understood: write it as 'linear 1e-4..0.02, T=1000'.")
    kind, first, last, steps = match.groups()
    return getattr(schedule, kind)(int(steps), float(first), float(last))
