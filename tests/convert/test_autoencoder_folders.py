"""Folders of autoencoders and of whole latent models: read, or refused in a sentence."""

import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from golden_files import weights
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from test_schedulers import JSON, LATENT
from torch_writer import torch_file

import jaxrestore as jr
from checkpoints_convert import ConversionError, ReadError
from checkpoints_convert.autoencoder_configs import DEFAULTS, network_of
from checkpoints_convert.autoencoders import autoencoder_folder, read_autoencoder, read_latent_model, renamed
from jaxrestore.diffusion.checksums import file_sha256
from jaxrestore.networks import AutoencoderKL, VQModel

GOLDEN = {"AutoencoderKL": "diffusers_autoencoder_kl", "VQModel": "diffusers_vq"}
HERE = Path(__file__).parents[1] / "golden"  # whatever JAXRESTORE_GOLDEN says: the faults below are of these configs
SAFETENSORS, TORCH = "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"


def config(name, file="config.json"):
    return json.loads((HERE / name / file).read_text())


def golden_arrays(name):
    about = config(name, "weights.json")
    return weights(about["seed"], about["tensors"])


def write_model(folder, name, **changes):
    """A model's folder of a reference, its config changed."""
    folder.mkdir(parents=True)
    save_file(golden_arrays(name), folder / SAFETENSORS)
    (folder / "config.json").write_text(json.dumps({**config(name), **changes}))
    return folder


@pytest.fixture(scope="module", params=GOLDEN)
def folder(request, tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("autoencoder") / "vae", GOLDEN[request.param])


@pytest.fixture(scope="module")
def vq_folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("autoencoder") / "vqvae", GOLDEN["VQModel"])


@pytest.fixture
def latent_folder(tmp_path):
    write_model(tmp_path / "ldm" / "unet", "diffusers_unet2d")
    write_model(tmp_path / "ldm" / "vqvae", GOLDEN["VQModel"])
    (tmp_path / "ldm" / "scheduler").mkdir()
    (tmp_path / "ldm" / "scheduler" / "scheduler_config.json").write_text(json.dumps(LATENT))
    return tmp_path / "ldm"


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def assert_equal(found, wanted):
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


def test_both_formats_and_precisions(folder, tmp_path):
    network, parameters = read_autoencoder(folder)
    assert isinstance(network, AutoencoderKL if "Autoencoder" in (folder / "config.json").read_text() else VQModel)
    assert jax.tree.map(jnp.shape, parameters) == jax.tree.map(jnp.shape, network.shapes())
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    arrays = golden_arrays(GOLDEN[type(network).__name__])
    torch_file(tmp_path / TORCH, arrays)
    same, again = read_autoencoder(tmp_path)
    assert same == network
    assert_equal(again, parameters)
    half = read_autoencoder(folder, "bfloat16")[1]
    assert {leaf.dtype for leaf in jax.tree.leaves(half)} == {np.dtype(ml_dtypes.bfloat16)}


def test_the_names_of_older_diffusers_are_the_same(folder, tmp_path):
    network, parameters = read_autoencoder(folder)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    old, arrays = {}, golden_arrays(GOLDEN[type(network).__name__])
    for name, array in arrays.items():
        for new, older in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
            name = name.replace(f".{new}.", f".{older}.")
        old[name] = array
    assert old.keys() != arrays.keys()
    save_file(old, tmp_path / SAFETENSORS)
    assert_equal(read_autoencoder(tmp_path)[1], parameters)
    save_file({**old, **arrays}, tmp_path / SAFETENSORS)
    with pytest.raises(ConversionError, match=r"Two tensors mean '\w+coder.mid_block.attentions.0.to_"):
        read_autoencoder(tmp_path)


def test_configs_of_public_autoencoders():
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 3, "up_block_types": ["UpDecoderBlock2D"] * 3}
    shared = {
        **blocks,
        "act_fn": "silu",
        "in_channels": 3,
        "out_channels": 3,
        "layers_per_block": 2,
        "sample_size": 256,
    }
    faces = {"_class_name": "VQModel", "_diffusers_version": "0.1.2", "block_out_channels": [128, 256, 512],
             "latent_channels": 3, "num_vq_embeddings": 8192, **shared}  # fmt: skip
    network = network_of(faces)  # of CompVis/ldm-celebahq-256: without a scaling factor, as its pipeline was
    assert network == VQModel(
        block_out_channels=(128, 256, 512), layers_per_block=2, num_vq_embeddings=8192, scaling_factor=1.0
    )
    assert network.latent_shape(256, 256) == (64, 64, 3)
    assert sum(leaf.size for leaf in jax.tree.leaves(network.shapes())) == 55_322_782
    four = {name: [kinds[0]] * 4 for name, kinds in blocks.items()}
    stable = {**shared, **four, "_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512],
              "latent_channels": 4, "norm_num_groups": 32}  # fmt: skip
    network = network_of(stable)
    assert network == AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2)
    assert (network.scaling_factor, network.force_upcast) == (0.18215, True)
    assert sum(leaf.size for leaf in jax.tree.leaves(network.shapes())) == 83_653_863  # as is well known
    three = network_of({**stable, "latent_channels": 16, "scaling_factor": 1.5305, "shift_factor": 0.0609,
                        "use_quant_conv": False, "use_post_quant_conv": False})  # fmt: skip
    assert (three.scaling_factor, three.shift_factor) == (1.5305, 0.0609)
    assert three.shapes().keys() == {"encoder", "decoder"}


def test_means_and_deviations_of_latents_are_units_of_each_channel():
    mean, std = [0.5, 0.0, -1.0, 2.0], [2.0, 4.0, 0.5, 1]
    network = network_of(
        {"_class_name": "AutoencoderKL", "scaling_factor": 0.5, "latents_mean": mean, "latents_std": std}
    )
    latent = np.random.default_rng(0).normal(size=(2, 2, 4)).astype(np.float32)
    wanted = (latent - np.float32(mean)) * 0.5 / np.float32(std)
    np.testing.assert_allclose(network.scaled(jnp.asarray(latent)), wanted, rtol=1e-6)


def test_blocks_with_attention():
    network = network_of({
        "_class_name": "VQModel", "block_out_channels": [32, 64], "act_fn": "swish", "lookup_from_codebook": True,
        "down_block_types": ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
        "up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
    })  # fmt: skip
    assert (network.encoder_attention, network.decoder_attention) == ((1,), (0,))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_class_name": "AutoencoderTiny"}, "'AutoencoderTiny'; of autoencoders AutoencoderKL and VQModel are known"),
        ({"_class_name": None}, "of None"),
        ({"_class_name": []}, "can't be understood"),
        ({"norm_type": "spatial"}, "VQModel is not known with norm_type='spatial'"),
        ({"act_fn": "mish"}, "act_fn='mish'"),
        ({"new_option": 3}, r"with the options \['new_option'\]"),
        ({"shift_factor": 0.1}, r"with the options \['shift_factor'\]"),
        ({"down_block_types": ["DownEncoderBlock2D", "KDownBlock2D", "DownEncoderBlock2D"]}, "list of DownEncoderBlock2D"),
        ({"up_block_types": 3}, "up_block_types must be a list"),
        ({"up_block_types": ["UpDecoderBlock2D"] * 10_000}, "has 10000 blocks for 3"),
        ({"block_out_channels": []}, "block_out_channels must be a list of widths"),
        ({"block_out_channels": "16"}, "block_out_channels must be a list of widths"),
        ({"block_out_channels": [16, 32, -32]}, "each of block_out_channels must be a whole number between 1"),
        ({"block_out_channels": [16, 32, 10**30]}, "each of block_out_channels must be a whole number between 1"),
        ({"block_out_channels": [16, 32, 2**20]}, "misshapen: encoder.down_blocks.2"),
        ({"block_out_channels": [16, 32, 36]}, "divisible by the 8 groups"),
        ({"layers_per_block": 10**6}, "tensors are too few for 3 levels of 1000000"),
        ({"layers_per_block": True}, "layers_per_block must be a whole number"),
        ({"layers_per_block": 2}, r"missing: encoder\.down_blocks\.0\.resnets\.1"),
        ({"latent_channels": 0}, "latent_channels must be a whole number"),
        ({"latent_channels": 4}, "misshapen: decoder.conv_in.weight"),
        ({"norm_num_groups": -8}, "norm_num_groups must be a whole number"),
        ({"num_vq_embeddings": 2**62}, "num_vq_embeddings must be a whole number"),
        ({"num_vq_embeddings": 63}, "misshapen: quantize.embedding.weight"),
        ({"vq_embed_dim": 3.0}, "vq_embed_dim must be a whole number"),
        ({"mid_block_add_attention": "yes"}, "mid_block_add_attention must be true or false"),
        ({"mid_block_add_attention": False}, "not part of this network: 'decoder.mid_block.attentions.0"),
        ({"lookup_from_codebook": 2}, "lookup_from_codebook must be true or false"),
        ({"force_upcast": 1}, "force_upcast must be true or false"),
        ({"scaling_factor": 0}, "scaling_factor must not be zero"),
        ({"scaling_factor": "1"}, "scaling_factor must be a finite number"),
        ({"scaling_factor": float("nan")}, "scaling_factor must be a finite number"),
        ({"scaling_factor": 10**400}, "scaling_factor must be a finite number"),
    ],
)  # fmt: skip
def test_configs_that_cannot_be_meant(changes, words, vq_folder, tmp_path):
    (tmp_path / SAFETENSORS).symlink_to(vq_folder / SAFETENSORS)
    (tmp_path / "config.json").write_text(json.dumps({**config(GOLDEN["VQModel"]), **changes}))
    start = time.monotonic()
    with pytest.raises(ConversionError, match=words) as error:
        read_autoencoder(tmp_path)
    assert time.monotonic() - start < 10
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latents_mean": [0.0] * 4}, "must be two lists of 4"),
        ({"latents_mean": [0.0] * 4, "latents_std": [1.0] * 3}, "must be two lists of 4"),
        ({"latents_mean": [0.0] * 4, "latents_std": [1.0] * 4, "shift_factor": 1.0}, "without a shift_factor"),
        ({"latents_mean": [0.0] * 4, "latents_std": [1.0, 1.0, 0.0, 1.0]}, "must be positive"),
        ({"latents_mean": [0.0, "x", 0.0, 0.0], "latents_std": [1.0] * 4}, "each of latents_mean must be a finite"),
        ({"shift_factor": float("inf")}, "shift_factor must be a finite number"),
        ({"use_quant_conv": None, "num_vq_embeddings": 3}, r"AutoencoderKL is not known with the options \['num_vq"),
        ({"use_quant_conv": 0}, "use_quant_conv must be true or false"),
    ],
)
def test_units_and_convolutions_that_cannot_be_meant(changes, words):
    with pytest.raises(ConversionError, match=words):
        network_of({"_class_name": "AutoencoderKL", **changes})


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted({"_class_name", *DEFAULTS["VQModel"], *DEFAULTS["AutoencoderKL"]})), JSON, max_size=3
    )
)
def test_any_value_is_read_or_refused(vq_folder, tmp_path_factory, changes):
    place = tmp_path_factory.getbasetemp()
    if not (place / SAFETENSORS).exists():
        (place / SAFETENSORS).symlink_to(vq_folder / SAFETENSORS)
    (place / "config.json").write_text(json.dumps({**config(GOLDEN["VQModel"]), **changes}))
    try:
        network, parameters = read_autoencoder(place)
    except (ConversionError, ReadError) as error:
        assert len(str(error)) < 6000  # noqa: PT017 - faulty tensors are listed
    else:
        assert jax.tree.map(jnp.shape, parameters) == jax.tree.map(jnp.shape, network.shapes())


def test_files_that_hold_something_else(folder, tmp_path):
    with pytest.raises(ReadError, match=r"config\.json can't be read"):
        read_autoencoder(tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(ReadError, match="holds no weights"):
        read_autoencoder(tmp_path)
    for content in ([1], {"a": 1}, 3, {"state_dict": {}}):
        with pytest.raises(ConversionError, match="no dict of tensors"):
            renamed(content)
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / SAFETENSORS)
    with pytest.raises(ConversionError, match="1 tensors are too few for 3 levels of 1"):
        read_autoencoder(tmp_path)
    arrays = golden_arrays(GOLDEN["VQModel" if "VQModel" in (folder / "config.json").read_text() else "AutoencoderKL"])
    arrays["decoder.conv_in.bias"] = np.full_like(arrays["decoder.conv_in.bias"], np.nan)
    save_file(arrays, tmp_path / SAFETENSORS)
    with pytest.raises(ConversionError, match=r"not finite as float32: decoder\.conv_in\.bias"):
        read_autoencoder(tmp_path)


def test_a_latent_model_in_a_folder(latent_folder):
    model = read_latent_model(latent_folder)
    assert (model.latent_shape, model.image_shape) == ((16, 16, 3), (64, 64, 3))
    assert (model.plan.prediction, model.scheduler.clip, model.scheduler.grid) == ("noise", False, "leading")
    levels = jr.schedule.scaled_linear(1000, 0.0015, 0.0195).alpha_bar
    np.testing.assert_allclose(model.plan.schedule.alpha_bar, levels, rtol=1e-6)
    assert model.autoencoder == network_of(config(GOLDEN["VQModel"]))


def test_a_folder_becomes_a_prior_that_restores(latent_folder, tmp_path, command):
    """All the way: the command, what it wrote, and a search in the latent space."""
    code, said, _ = command("convert", latent_folder, tmp_path / "out", "--name", "faces")
    assert code == 0
    assert "faces, 64 x 64" in said
    prior, model = jr.load_prior(tmp_path / "out"), read_latent_model(latent_folder)
    assert (prior.shape, prior.noise_shape, prior.name) == ((64, 64, 3), (16, 16, 3), "faces")
    assert_equal(prior.parameters, model.parameters)
    assert_equal(prior.latent.parameters, model.autoencoder_parameters)
    files = jr.read_card(tmp_path / "out")["source"]["files"]
    models = {f"{place}/{file}" for place in ("unet", "vqvae") for file in ("config.json", SAFETENSORS)}
    assert files.keys() == models | {"scheduler/scheduler_config.json"}
    assert files["vqvae/config.json"] == file_sha256(latent_folder / "vqvae" / "config.json")
    y = jr.AveragePool(8)(jnp.zeros(prior.shape))
    method = jr.bird(prior, jr.AveragePool(8), iterations=2, skip=500, noise_lr=0.1, stop=jr.never())
    result = jr.restore(method, y, jax.random.key(0))
    assert (result.image.shape, result.noise.shape) == (prior.shape, prior.noise_shape)
    assert result.history.shape == (2,)
    assert np.all(np.isfinite(result.image))
    assert result.history[1] != result.history[0]


def test_a_latent_model_whose_parts_do_not_fit(latent_folder):
    assert autoencoder_folder(latent_folder) == latent_folder / "vqvae"
    assert autoencoder_folder(latent_folder / "unet") is None
    write_model(latent_folder / "vae", GOLDEN["AutoencoderKL"])
    with pytest.raises(ConversionError, match="two autoencoders: vqvae and vae"):
        read_latent_model(latent_folder)
    (latent_folder / "vqvae").rename(latent_folder / "other")
    with pytest.raises(ConversionError, match="takes 3 and gives 3 channels, a latent has 4"):
        read_latent_model(latent_folder)
    (latent_folder / "vae").rename(latent_folder / "another")
    with pytest.raises(ConversionError, match="no autoencoder: there is neither vqvae nor vae"):
        read_latent_model(latent_folder)
    (latent_folder / "other").rename(latent_folder / "vae")  # either class may lie in either place
    edit(latent_folder / "scheduler" / "scheduler_config.json", _class_name="EDMEulerScheduler")
    with pytest.raises(
        ConversionError, match=r"ldm can't be converted\. The scheduler 'EDMEulerScheduler' is not known"
    ):
        read_latent_model(latent_folder)
    (latent_folder / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(ConversionError, match="don't tell schedule"):
        read_latent_model(latent_folder)
    model = read_latent_model(latent_folder, {"schedule": "scaled_linear 0.0015..0.0195, T=1000"})
    assert model.scheduler is None
    assert len(model.plan.schedule) == 1000
