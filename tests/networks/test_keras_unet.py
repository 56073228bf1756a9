"""The U-Net of the Keras documentation's DDPM example: against its published graph, and by itself."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden_files import arrays, relative_error

import jaxrestore as jr
from checkpoints_convert import convert
from jaxrestore.networks import KerasUNet
from jaxrestore.networks.keras_unet import geometric_frequencies, sines_and_cosines
from jaxrestore.networks.layers import timestep_embedding

FACES = Path(__file__).parents[2].parent / "shared" / "priors" / "faces64"  # 63 MB that the repository doesn't hold
SMALL = KerasUNet(image_size=8, ch=8, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=(4,), groups=4)

TINY = dataclasses.replace(SMALL, ch_mult=(1,), attn_resolutions=(), precision="highest")


@pytest.mark.slow
@pytest.mark.skipif(not FACES.is_dir(), reason=f"the weights of the reference vectors are not there: {FACES}")
def test_output_and_vector_jacobian_product_of_the_published_graph():
    prior = convert(FACES)
    network, io = dataclasses.replace(prior.network, precision="highest"), arrays("keras_unet", "io.npz")

    @jax.jit
    def output_and_gradient(parameters, x, t, cotangent):
        output, pullback = jax.vjp(lambda x: network(parameters, x, t), x)
        return output, pullback(cotangent)[0]

    output, gradient = output_and_gradient(prior.parameters, io["x"], io["t"], io["cotangent"])
    assert relative_error(output, io["out"]) < 1e-4
    assert relative_error(gradient, io["vjp"]) < 1e-4
    np.testing.assert_array_equal(prior.schedule.alpha_bar, jr.schedule.cosine(300, max_beta=0.9999).alpha_bar)


def test_parameter_count_of_faces64():
    assert sum(leaf.size for leaf in jax.tree.leaves(KerasUNet().shapes())) == 63_200_387


def test_attention_adds_to_its_normalised_input():
    attention: Any = TINY.module(nnx.Rngs(0)).mid.attn_1  # of zeros
    layers = TINY.init(jax.random.key(1))["mid"]["attn_1"]
    for name in ("q", "k", "v", "proj_out"):
        getattr(attention, name).kernel[...] = layers[name]["kernel"]
    x = np.asarray(jax.random.normal(jax.random.key(2), (1, 8, 8, 8)))
    groups = x.reshape(1, 64, 4, 2)
    mean, variance = groups.mean((1, 3), keepdims=True), groups.var((1, 3), keepdims=True)
    normal = ((groups - mean) / np.sqrt(variance + 1e-3)).reshape(64, 8)
    q, k, v = (normal @ np.asarray(layers[name]["kernel"]) for name in "qkv")
    weights = np.exp(q @ k.T / np.sqrt(8))
    wanted = normal + weights / weights.sum(-1, keepdims=True) @ v @ np.asarray(layers["proj_out"]["kernel"])
    np.testing.assert_allclose(attention(x).reshape(64, 8), wanted, atol=2e-5)


def test_the_time_embedding_is_four_times_as_wide_and_may_have_frequencies_of_its_own():
    np.testing.assert_allclose(geometric_frequencies(3), [1, 1e-2, 1e-4], rtol=1e-6)
    t = jnp.asarray([0, 7, 299])
    np.testing.assert_allclose(sines_and_cosines(t, geometric_frequencies(16)), timestep_embedding(t, 32), atol=1e-4)
    tiny, x = TINY.init(jax.random.key(1)), jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    assert tiny["temb"]["0"]["kernel"].shape == (32, 32)
    other = dataclasses.replace(TINY, frequencies=(0.5,) * 16)
    assert float(jnp.abs(other(tiny, x, 30) - TINY(tiny, x, 30)).max()) > 1e-3
    with pytest.raises(ValueError, match="needs 16 frequencies, not 3"):
        dataclasses.replace(SMALL, frequencies=(1.0, 0.5, 0.1)).shapes()


def test_images_of_any_fitting_size_do_not_see_each_other():
    parameters, x = SMALL.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    both = SMALL(parameters, x, jnp.asarray([3, 250]))
    assert both.shape == (2, 8, 8, 3)
    np.testing.assert_allclose(SMALL(parameters, x[1:], 250), both[1:], atol=2e-5)
    assert jax.eval_shape(SMALL, parameters, jnp.zeros((1, 12, 6, 3)), 1).shape == (1, 12, 6, 3)
    with pytest.raises(ValueError, match="divisible by 2, not 9 x 8"):
        SMALL(parameters, jnp.zeros((1, 9, 8, 3)), 1)


def test_bfloat16_and_dropout():
    tiny, x = TINY.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    wanted, half = TINY(tiny, x, 30), dataclasses.replace(TINY, dtype="bfloat16")(tiny, x, 30)
    assert half.dtype == jnp.float32
    assert 0 < relative_error(half, wanted) < 0.05
    wet = dataclasses.replace(TINY, dropout=0.5)
    np.testing.assert_array_equal(wet(tiny, x, 30), wanted)  # without a key there is none
    assert float(jnp.abs(wet(tiny, x, 30, None, jax.random.key(2)) - wanted).mean()) > 0.01


def test_blocks_that_are_computed_again_give_the_same_gradient():
    tiny, x = TINY.init(jax.random.key(1)), jax.random.normal(jax.random.key(1), (1, 8, 8, 3))

    def gradient(network):
        return jax.grad(lambda parameters: jnp.sum(network(parameters, x, 9) ** 2))(tiny)

    again = gradient(dataclasses.replace(TINY, remat=True))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3), again, gradient(TINY))
