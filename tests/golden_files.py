"""Where the reference vectors are, and the weights that belong to them."""

import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxrestore as jr
from checkpoints_convert import ddpm
from jaxrestore.networks import DDPMUNet

FOLDER = Path(os.environ.get("JAXRESTORE_GOLDEN", Path(__file__).parent / "golden"))


def config(name: str) -> dict:
    return json.loads((FOLDER / name / "config.json").read_text())


def arrays(name: str, file: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / name / file) as data:
        return {key: data[key] for key in data}


def network(about: dict) -> DDPMUNet:
    names = {"out_ch": "out_channels", "in_channels": "channels"}
    return DDPMUNet(
        precision="highest",
        **{names.get(k, k): tuple(v) if isinstance(v, list) else v for k, v in about["config"].items()},
    )


def weights(seed: int, shapes: dict) -> dict[str, np.ndarray]:
    """Tensor i of the sorted names: uniform numbers of PCG64([seed, i]), of unit variance over the fan-in."""
    tensors = {}
    for i, name in enumerate(sorted(shapes)):
        shape = tuple(shapes[name])
        u = (2 * np.random.Generator(np.random.PCG64([seed, i])).random(shape) - 1) * np.sqrt(3)
        small = 0.1 * u + name.endswith("weight")
        tensors[name] = (u / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else small).astype(np.float32)
    return tensors


def prior(about: dict, shapes: dict, output_scale: float = 1.0) -> jr.Prior:
    tensors = weights(about["seed"], shapes)
    tensors["conv_out.weight"] = tensors["conv_out.weight"] * np.float32(output_scale)
    unet = network(about)
    parameters = jax.tree.map(jnp.asarray, ddpm.parameters_from(tensors, unet))
    size = about["config"]["image_size"]
    return jr.Prior.create(unet, parameters, jr.schedule.linear(), (size, size, unet.channels))


def channels_last(array: np.ndarray) -> jax.Array:
    return jnp.asarray(np.moveaxis(array, -3, -1))


def relative_error(found, wanted) -> float:
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
