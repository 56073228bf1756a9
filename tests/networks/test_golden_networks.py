"""The U-Nets against the public PyTorch implementations, with the converter between them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden_files import FOLDER, arrays, as_tensors, channels_last, config, made_prior, prior, relative_error, weights

from checkpoints_convert import diffusers, plan


def made(name):
    if not name.startswith("diffusers"):
        about = config(name)
        return prior(about, about["tensors"])
    about = config(name, "weights.json")
    options = config(name)
    arguments = diffusers.network_arguments(options)
    tensors = diffusers.rename(as_tensors(weights(about["seed"], about["tensors"])), len(arguments["ch_mult"]))
    folder = diffusers.Folder(FOLDER, arguments, np.asarray([0.9, 0.1]), "noise")
    return made_prior(tensors, plan(tensors, None, folder))


NETWORKS = ["ddpm_a", "adm_uncond", "adm_class_plain", "adm_neworder", "diffusers_unet2d", "diffusers_defaults"]


@pytest.mark.parametrize(("name", "remat"), [*((name, name == "adm_uncond") for name in NETWORKS), ("ddpm_a", True)])
def test_output_and_vector_jacobian_product(name, remat):
    """With `remat` a network is the same; without it, test_ancestral.py has the numbers of adm_uncond."""
    unet = made(name)
    network = dataclasses.replace(unet.network, remat=remat)
    io = arrays(name, "io.npz")
    t, x = jnp.asarray(io["t"], jnp.int32), channels_last(io["x_nchw"])
    label = jnp.asarray(io["class"]) if "class" in io else None

    @jax.jit
    def output_and_gradient(parameters, x, cotangent):
        found, pullback = jax.vjp(lambda x: network(parameters, x, t, label), x)
        return found, pullback(cotangent)[0]

    if not (FOLDER / name / "vjp.npz").exists():
        assert relative_error(network(unet.parameters, x, t, label), channels_last(io["out_nchw"])) < 1e-4
        return
    vjp = arrays(name, "vjp.npz")
    found, gradient = output_and_gradient(unet.parameters, x, channels_last(vjp["v_nchw"]))
    assert relative_error(found, channels_last(io["out_nchw"])) < 1e-4
    assert relative_error(gradient, channels_last(vjp["grad_x_nchw"])) < 1e-4
