"""The DDPM U-Net against the public PyTorch implementation."""

import jax
import jax.numpy as jnp
from golden_files import arrays, channels_last, config, prior, relative_error


def test_output_and_vector_jacobian_product():
    about = config("ddpm_a")
    unet = prior(about, about["tensors"])
    io, vjp = arrays("ddpm_a", "io.npz"), arrays("ddpm_a", "vjp.npz")
    t = jnp.asarray(io["t"], jnp.int32)

    @jax.jit
    def output_and_gradient(x, cotangent):
        output, pullback = jax.vjp(lambda x: unet.predict_noise(x, t), x)
        return output, pullback(cotangent)[0]

    output, gradient = output_and_gradient(channels_last(io["x_nchw"]), channels_last(vjp["v_nchw"]))
    assert relative_error(output, channels_last(io["out_nchw"])) < 1e-4
    assert relative_error(gradient, channels_last(vjp["grad_x_nchw"])) < 1e-4
