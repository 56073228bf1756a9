"""Where the reference vectors are, and the weights that belong to them."""

import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxrestore as jr
from checkpoints_convert import Tensor, parameters_from, plan

FOLDER = Path(os.environ.get("JAXRESTORE_GOLDEN", Path(__file__).parent / "golden"))


def config(name: str, file: str = "config.json") -> dict:
    return json.loads((FOLDER / name / file).read_text())


def arrays(name: str, file: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / name / file) as data:
        return {key: data[key] for key in data}


def weights(seed: int, shapes: dict) -> dict[str, np.ndarray]:
    """Tensor i of the sorted names: uniform numbers of PCG64([seed, i]), of unit variance over the fan-in."""
    tensors = {}
    for i, name in enumerate(sorted(shapes)):
        shape = tuple(shapes[name])
        u = (2 * np.random.Generator(np.random.PCG64([seed, i])).random(shape) - 1) * np.sqrt(3)
        small = 0.1 * u + name.endswith("weight")
        tensors[name] = (u / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else small).astype(np.float32)
    return tensors


def as_tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Arrays as the converter's readers would give them."""
    return {name: Tensor(array.shape, array.dtype, lambda array=array: array) for name, array in arrays.items()}


def prior(about: dict, shapes: dict, output_scale: float = 1.0) -> jr.Prior:
    """The network of a reference's config with its weights, by way of the converter."""
    named = weights(about["seed"], shapes)
    if output_scale != 1:
        named["conv_out.weight"] = named["conv_out.weight"] * np.float32(output_scale)
    tensors = as_tensors(named)
    wanted = {"config": about["config"], "schedule": "linear 1e-4..0.02, T=1000"}
    return made_prior(tensors, plan(tensors, wanted))


def made_prior(tensors, made) -> jr.Prior:
    import dataclasses

    network = dataclasses.replace(made.network, precision="highest")
    parameters = parameters_from(tensors, network)
    shape = (network.image_size, network.image_size, network.channels)
    return jr.Prior(network, parameters, made.schedule, shape, made.prediction)


def channels_last(array: np.ndarray) -> jax.Array:
    return jnp.asarray(np.moveaxis(array, -3, -1))


def relative_error(found, wanted) -> float:
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
