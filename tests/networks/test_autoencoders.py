"""The autoencoders of latent models against diffusers' own, with the converter between them."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden_files import arrays, as_tensors, channels_last, config, relative_error, weights
from jax.flatten_util import ravel_pytree
from signatures import unchecked

from checkpoints_convert import parameters_from
from checkpoints_convert.autoencoder_configs import network_of
from checkpoints_convert.autoencoders import renamed
from jaxrestore.networks import AutoencoderKL, VQModel
from jaxrestore.networks.autoencoder_kl import Moments
from jaxrestore.networks.vq_model import nearest

GOLDEN = ["diffusers_autoencoder_kl", "diffusers_vq"]


def golden(name):
    """(network, parameters, what diffusers computed)."""
    about = config(name, "weights.json")
    network = dataclasses.replace(network_of(config(name)), precision="highest")
    parameters = parameters_from(renamed(as_tensors(weights(about["seed"], about["tensors"]))), network)
    io = {key.removesuffix("_nchw"): channels_last(array) for key, array in arrays(name, "io.npz").items()}
    return network, parameters, io


@pytest.fixture(scope="module", params=[AutoencoderKL, VQModel])
def small(request):
    """(network, parameters, image, latent)."""
    network = request.param(block_out_channels=(4, 8), groups=2, precision="highest")
    parameters, keys = network.init(jax.random.key(0)), jax.random.split(jax.random.key(1))
    image = jax.random.normal(keys[0], (2, 8, 8, 3))
    return network, parameters, image, jax.random.normal(keys[1], (2, *network.latent_shape(8, 8)))


@pytest.mark.parametrize("name", GOLDEN)
def test_decoded_image_and_vector_jacobian_product(name):
    network, parameters, io = golden(name)
    decoded, pullback = jax.vjp(lambda z: network.decode(parameters, z), io["z"])
    assert relative_error(decoded, io["decoded"]) < 1e-4
    assert relative_error(pullback(io["cotangent"])[0], io["vjp"]) < 1e-4


def test_moments_of_an_encoded_image():
    network, parameters, io = golden("diffusers_autoencoder_kl")
    mean, logvar = network.encode(parameters, io["image"])
    assert relative_error(mean, io["encoded_mean"]) < 1e-4
    assert relative_error(logvar, io["encoded_logvar"]) < 1e-4


def test_codes_of_an_encoded_image():
    network, parameters, io = golden("diffusers_vq")
    assert relative_error(network.encode(parameters, io["image"]), io["encoded"]) < 1e-4
    assert relative_error(network.quantise(parameters, io["z"]), io["quantised"]) < 1e-4
    unquantised = network.decode(parameters, io["z"], quantise=False)
    assert relative_error(unquantised, io["decoded_unquantised"]) < 1e-4


def test_gradient_of_a_reconstruction_is_finite_and_remat_changes_nothing(small):
    network, parameters, image, _ = small

    @partial(jax.jit, static_argnums=0)
    def gradient(network, parameters, image):
        def loss(parameters, image):
            code = network.encode(parameters, image)
            return jnp.sum(network.decode(parameters, code.mean if isinstance(code, Moments) else code) ** 2)

        return jax.grad(loss, (0, 1))(parameters, image)

    plain, again = (
        ravel_pytree(gradient(dataclasses.replace(network, remat=remat), parameters, image))[0]
        for remat in (False, True)
    )
    assert np.all(np.isfinite(plain))
    assert relative_error(again, plain) < 1e-5  # some are zero but for rounding: those of attention's key biases


def test_a_compiled_call_is_the_eager_one_and_a_mapped_one_a_loop(small):
    network, parameters, _, latent = small
    wanted = network.decode(parameters, latent)
    with jax.disable_jit():
        np.testing.assert_allclose(network.decode(parameters, latent), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(jax.jit(network.decode)(parameters, latent), wanted, rtol=1e-5, atol=1e-6)
    mapped = jax.vmap(lambda z: network.decode(parameters, z[None])[0])(latent)
    looped = jnp.concatenate([network.decode(parameters, z[None]) for z in latent])
    np.testing.assert_allclose(mapped, looped, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(looped, wanted, rtol=1e-4, atol=1e-5)


def test_a_half_needs_no_parameters_of_the_other(small):
    network, parameters, image, latent = small
    decoding = {name: parameters[name] for name in network.half_shapes("decoding")}
    assert "encoder" not in decoding
    np.testing.assert_array_equal(network.decode(decoding, latent), network.decode(parameters, latent))
    encoding = {name: parameters[name] for name in network.half_shapes("encoding")}
    assert {*encoding, *decoding} == {*network.shapes()}
    jax.tree.map(np.testing.assert_array_equal, network.encode(encoding, image), network.encode(parameters, image))


def test_sizes_and_channels(small):
    network, parameters, _, _ = small
    channels = network.latent_width
    assert network.latent_shape(12, 20) == (6, 10, channels)
    assert network.decode(parameters, jnp.zeros((1, 6, 10, channels))).shape == (1, 12, 20, 3)
    with pytest.raises(ValueError, match="sides divisible by 2, not 12 x 21"):
        network.encode(parameters, jnp.zeros((1, 12, 21, 3)))
    with pytest.raises(ValueError, match="images of 3 channels, not 1"):
        network.encode(parameters, jnp.zeros((1, 12, 20, 1)))
    with pytest.raises(ValueError, match=f"latents of {channels} channels, not 9"):
        network.decode(parameters, jnp.zeros((1, 6, 10, 9)))


@pytest.mark.parametrize(("scale", "shift"), [(0.5, 0.0), (2.0, -3.0), ((0.5, 2.0, 4.0, 1.0), (1.0, 0.0, -1.0, 3.0))])
def test_units_of_the_diffusion(scale, shift):
    network = AutoencoderKL(scaling_factor=scale, shift_factor=shift)
    latent = jax.random.normal(jax.random.key(0), (3, 2, 4))
    wanted = (latent - np.asarray(shift, np.float32)) * np.asarray(scale, np.float32)
    np.testing.assert_allclose(network.scaled(latent), wanted, rtol=1e-6)
    np.testing.assert_allclose(network.unscaled(network.scaled(latent)), latent, rtol=1e-4, atol=1e-5)
    assert network.scaled(latent.astype(jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize("kind", [AutoencoderKL, VQModel])
def test_options(kind):
    network = kind(
        block_out_channels=(8, 16), groups=4, layers_per_block=2, encoder_attention=(1,), decoder_attention=(0, 1),
        mid_attention=False, force_upcast=False,
    )  # fmt: skip
    names = {jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(network.shapes())}
    attended = {name.split("['attentions']")[0] for name in names if "attentions" in name}
    places = {"encoder": ["down_blocks", "1"], "decoder": ["up_blocks", "0", "up_blocks", "1"]}
    wanted = [(half, *pair) for half, p in places.items() for pair in zip(p[::2], p[1::2], strict=True)]
    assert attended == {f"['{half}']['{block}']['{level}']" for half, block, level in wanted}
    parameters, key = network.init(jax.random.key(0)), jax.random.key(1)
    latent = jax.random.normal(key, (1, 4, 4, network.latent_width))
    decoded = network.decode(parameters, latent)
    assert np.all(np.isfinite(decoded))
    for upcast, least, most in ((False, 1e-6, 0.1), (True, -1, 1e-9)):
        half = dataclasses.replace(network, dtype="bfloat16", force_upcast=upcast)
        found = half.decode(parameters, latent)
        assert found.dtype == jnp.float32
        assert least < relative_error(found, decoded) <= most


def test_convolutions_beside_the_latent_may_be_left_out():
    network = AutoencoderKL(block_out_channels=(8,), groups=4, use_quant_conv=False, use_post_quant_conv=False)
    assert network.shapes().keys() == {"encoder", "decoder"}
    parameters = network.init(jax.random.key(0))
    mean, logvar = network.encode(parameters, 1e4 * jax.random.normal(jax.random.key(1), (1, 8, 8, 3)))
    assert mean.shape == logvar.shape == (1, 8, 8, 4)
    assert -30 <= float(logvar.min()) <= float(logvar.max()) <= 20
    assert network.decode(parameters, mean).shape == (1, 8, 8, 3)


def test_the_nearest_entry_is_the_nearest():
    keys = jax.random.split(jax.random.key(0))
    entries, latent = jax.random.normal(keys[0], (50, 5)), jax.random.normal(keys[1], (2, 3, 4, 5))
    distances = np.linalg.norm(np.asarray(latent)[..., None, :] - np.asarray(entries), axis=-1)
    np.testing.assert_array_equal(nearest(entries, latent), distances.argmin(-1))
    same = jnp.concatenate([entries[7:8], entries])  # the first of several
    np.testing.assert_array_equal(nearest(same, entries[None, None, 7:8]), [[[0]]])


def test_a_codebook_of_another_width_than_the_decoder():
    network = VQModel(block_out_channels=(8,), groups=4, latent_channels=5, vq_embed_dim=2, num_vq_embeddings=7)
    parameters = network.init(jax.random.key(0))
    assert network.latent_shape(8, 8) == (8, 8, 2)
    latent = network.encode(parameters, jnp.ones((1, 8, 8, 3)))
    quantised, pullback = jax.vjp(lambda latent: network.quantise(parameters, latent), latent)
    entries = np.asarray(parameters["quantize"]["embedding"]["embedding"])
    assert np.abs(np.asarray(quantised)[..., None, :] - entries).max(-1).min(-1).max() < 1e-6
    np.testing.assert_array_equal(pullback(quantised)[0], quantised)  # straight through
    assert network.decode(parameters, latent).shape == (1, 8, 8, 3)


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (AutoencoderKL, {"block_out_channels": ()}, "divisible by the 32 groups"),
        (AutoencoderKL, {"block_out_channels": (32, 48)}, "divisible by the 32 groups"),
        (AutoencoderKL, {"block_out_channels": (32, -32)}, "each of block_out_channels must be a positive"),
        (AutoencoderKL, {"layers_per_block": 0}, "layers_per_block must be a positive"),
        (AutoencoderKL, {"latent_channels": 2.5}, "latent_channels must be a positive"),
        (AutoencoderKL, {"scaling_factor": 0.0}, "not zero"),
        (AutoencoderKL, {"shift_factor": float("nan")}, "must be finite"),
        (AutoencoderKL, {"scaling_factor": (1.0, 2.0)}, "one for each of 4 channels"),
        (VQModel, {"num_vq_embeddings": 0}, "num_vq_embeddings must be a positive"),
        (VQModel, {"vq_embed_dim": -1}, "vq_embed_dim must be a positive"),
    ],
)
def test_numbers_that_make_up_no_network(kind, changes, words):
    with unchecked(), pytest.raises(ValueError, match=words):
        kind(**changes)
