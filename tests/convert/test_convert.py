"""The converter: which file, which network, which tensor, and a sentence for whatever is missing."""

import dataclasses
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from golden_files import FOLDER, as_tensors, weights
from safetensors.numpy import save_file
from torch_writer import legacy_file, torch_file

import jaxrestore as jr
from checkpoints_convert import (
    ConversionError,
    ReadError,
    Tensor,
    convert,
    diffusers,
    parameters_from,
    plan,
    state_dict,
)
from checkpoints_convert.configs import schedule_text
from checkpoints_convert.parameters import check, paths, torch_name
from jaxrestore.cli.commands import main
from jaxrestore.diffusion.checksums import file_sha256
from jaxrestore.networks import ADMUNet, DDPMUNet

CONFIG = {
    "architecture": "ddpm",
    "config": {
        "ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [4], "in_channels": 12, "out_ch": 12,
        "image_size": 8, "patch_size": 2, "norm_groups": 4, "prediction": "v",
    },
    "schedule": "linear 1e-4..0.02, T=1000",
}  # fmt: skip
KEY_TABLES = sorted(FOLDER.glob("checkpoint_keys/*.json"))


def torch_arrays(parameters):
    """Parameters under their PyTorch names, axes and shapes: the way back."""
    made = {}
    for path, array in paths(parameters):
        array, name = np.asarray(array), torch_name(path)
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif path[-1] == "kernel":
            array = array.T
            if path[-2] in ("q", "k", "v"):
                array = array[:, :, None, None]
            elif path[-2] in ("qkv", "proj_out"):  # Conv1d in ADM, Conv2d in DDPM
                array = array[:, :, None] if "blocks" in path[0] or "block" in path[0] else array[:, :, None, None]
        made[name] = array
    return made


@pytest.fixture(scope="session")
def tiny_arrays(tiny):
    return torch_arrays(tiny.parameters)


def assert_equal(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("path", KEY_TABLES, ids=lambda path: path.name)
def test_the_eight_public_checkpoints_by_their_shapes(path):
    about = json.loads(path.read_text())
    shapes = dict(about["tensors"])
    tensors = {name: Tensor(tuple(shape), np.dtype(np.float32), lambda: 1 / 0) for name, shape in shapes.items()}
    made = plan(tensors)
    check(tensors, made.network)  # every key is used, none is missing, all shapes are right
    leaves = jax.tree.leaves(made.network.shapes())
    assert sum(leaf.size for leaf in leaves) == about["parameters"]
    assert len(leaves) == len(shapes)
    published = plan(tensors, {"config": about["config"]}).network  # what its publisher says
    if path.name.startswith("lsun_bedroom"):  # its dropout isn't that of the other file with its shapes
        published = dataclasses.replace(published, dropout=made.network.dropout)
    assert published == made.network
    wanted = jr.schedule.cosine() if path.name.startswith("64x64") else jr.schedule.linear()
    np.testing.assert_array_equal(made.schedule.alpha_bar, wanted.alpha_bar)


NETWORKS = [
    DDPMUNet(image_size=16, ch=8, ch_mult=(1, 2, 2), num_res_blocks=2, attn_resolutions=(8,), groups=4),
    DDPMUNet(image_size=16, channels=1, out_channels=1, ch=8, ch_mult=(1, 1.5), num_res_blocks=1, groups=4),
    ADMUNet(image_size=16, ch=8, ch_mult=(1, 2), num_res_blocks=2, attn_resolutions=(8,), head_channels=4, groups=4),
    ADMUNet(image_size=16, ch=8, ch_mult=(0.5, 1, 2), num_res_blocks=1, attn_resolutions=(16, 4), head_channels=4, groups=4,
            new_attention_order=True, resblock_updown=False, scale_shift=False, num_classes=5, out_channels=3),
    ADMUNet(image_size=8, ch=8, ch_mult=(1,), num_res_blocks=3, attn_resolutions=(), head_channels=None, num_heads=2,
            groups=4),
]  # fmt: skip


def drawn(network):
    """Parameters of a network of unit variance over the fan-in, without XLA."""
    draw = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: (
            draw.standard_normal(leaf.shape, np.float32) / np.float32(max(leaf.size // leaf.shape[-1], 1) ** 0.5)
        ),
        network.shapes(),
    )


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_round_trip_and_recognition(network, tmp_path):
    """Parameters -> torch names in a file -> the same parameters and the same network, told what shapes can't say."""
    parameters = drawn(network)
    config = {"image_size": network.image_size, "norm_groups": network.groups}
    if isinstance(network, ADMUNet):
        config |= {"num_heads": network.num_heads, "num_head_channels": network.head_channels}
        config |= {"use_new_attention_order": network.new_attention_order, "rescale_timesteps": False}
    source = torch_file(tmp_path / "a.pt", torch_arrays(parameters))
    prior = convert(source, {"config": config, "schedule": "cosine, T=100"})
    assert prior.network == network
    assert_equal(prior.parameters, parameters)
    half = convert(source, {"config": config, "schedule": "cosine, T=100"}, dtype="bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves(half.parameters)} == {np.dtype(ml_dtypes.bfloat16)}
    output = prior.apply(jnp.zeros((1, *prior.shape)), 3)[0]
    assert np.all(np.isfinite(output))


def prefixed(prefix, arrays):
    return {f"{prefix}{name}": value for name, value in arrays.items()}


WRAPPERS = {
    "plain": (lambda c: c, {}),
    "state_dict": (lambda c: {"epoch": 3, "state_dict": c, "loss": 0.5, "name": "x"}, {}),
    "module prefix": (lambda c: {"model": prefixed("module.", c)}, {}),
    "DDIM's list": (lambda c: [{"old": 1}, {"state": {}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.99)}]}, 1, 2, c], {}),
    "averaged": (lambda c: {"model": dict(c), "ema": c}, {"use_ema": True}),
    "DDIM's averaged": (lambda c: [dict(c), {"state": {}}, 1, 2, prefixed("module.", c)], {"use_ema": True}),
    "by name": (lambda c: {"model": dict(c), "other": {"deep": c}}, {"key": "other.deep"}),
    "prefixes in one dict": (
        lambda c: {"state_dict": {**prefixed("model.", c), **prefixed("ema_model.", c)}},
        {"key": "state_dict.ema_model"},
    ),
    "an averaged prefix": (
        lambda c: {"ema": {"initted": True, **prefixed("online.", c), **prefixed("ema_model.", c)}},
        {"key": "ema.ema_model"},
    ),
    "a prefix beside none": (lambda c: {**prefixed("model_ema.", c), **c}, {"use_ema": True}),
    "the only ones, called averaged": (lambda c: c, {"use_ema": True}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPPERS)
@pytest.mark.parametrize("write", [torch_file, legacy_file])
def test_wrappers(name, write, tiny, tiny_arrays, tmp_path):
    wrap, options = WRAPPERS[name]
    prior = convert(write(tmp_path / "a.pt", tiny_arrays, wrap), CONFIG, **options)
    assert (prior.prediction, prior.shape, prior.network, prior.name) == ("v", (16, 16, 3), tiny.network, "a")
    assert_equal(prior.parameters, tiny.parameters)


def test_which_of_several_networks_is_asked_for(tiny_arrays):
    tensors = as_tensors(tiny_arrays)
    for content, options, words in (
        ({"model": tensors, "ema": dict(tensors)}, {}, "2 networks: choose by --use-ema, or --key 'model', 'ema'"),
        ({"model": tensors, "b": dict(tensors)}, {"use_ema": True}, "0 sets"),
        ({"model": tensors}, {"key": "ema"}, "no network under 'ema': it has networks under 'model'"),
        ({"a": 1, "b": 2}, {}, "no U-Net that is known: a dict of 2 names, the first 'a', 'b'"),
        ({**prefixed("module.", tensors), "out.bias": tensors["conv_in.weight"]}, {}, "'out.bias' has not the prefix"),
        (
            {**prefixed("module.", tensors), "conv_in.bias": tensors["conv_in.bias"]},
            {},
            "'conv_in.bias' has not the prefix",
        ),
        ({**tensors, "more": {"a": 1}}, {}, "something else: 'more'"),
        ({1: tensors, "1": dict(tensors)}, {}, "Two networks stand under '1'"),
        ({"model": tensors, "ema": dict(tensors), "ema_model": dict(tensors)}, {"use_ema": True}, "2 sets"),
        (3, {}, "a int"),
    ):
        with pytest.raises(ConversionError, match=words):
            state_dict(content, **options)


def test_safetensors_of_every_precision(tiny, tiny_arrays, tmp_path):
    for dtype in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16):
        cast = {name: np.ascontiguousarray(array).astype(dtype) for name, array in tiny_arrays.items()}
        save_file(cast, tmp_path / "a.safetensors")
        prior = convert(tmp_path / "a.safetensors", CONFIG)
        rounded = jax.tree.map(
            lambda leaf, dtype=dtype: np.asarray(leaf).astype(dtype).astype(np.float32), tiny.parameters
        )
        assert_equal(prior.parameters, rounded)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_kept_and_is_float32_when_loaded(dtype, tiny_arrays, tmp_path):
    cast = {name: np.ascontiguousarray(array).astype(dtype) for name, array in tiny_arrays.items()}
    save_file(cast, tmp_path / "a.safetensors")
    prior = convert(tmp_path / "a.safetensors", CONFIG, dtype="source")
    kept = np.dtype(np.float32 if dtype == np.float64 else dtype)
    assert {leaf.dtype for leaf in jax.tree.leaves(prior.parameters)} == {kept}
    jr.save_prior(prior, tmp_path / "kept")
    assert jr.read_card(tmp_path / "kept")["stored"] == {str(kept): sum(array.size for array in cast.values())}
    found = jr.load_prior(tmp_path / "kept").parameters
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype(np.float32)}
    assert_equal(found, convert(tmp_path / "a.safetensors", CONFIG).parameters)


def test_faulty_tensors_are_all_listed(tiny, tiny_arrays):
    arrays = dict(tiny_arrays)
    arrays["extra.weight"] = np.zeros(3, np.float32)
    del arrays["conv_in.bias"]
    arrays["conv_out.bias"] = np.zeros(5, np.float32)
    arrays["norm_out.weight"] = np.zeros(8, np.int64)
    with pytest.raises(ConversionError) as error:
        parameters_from(as_tensors(arrays), tiny.network)
    for fault in ("(4 faults)", "missing: conv_in.bias", "network: 'extra.weight'", "misshapen: conv_out.bias is (5,)",
                  "no floating-point numbers: norm_out.weight is int64"):  # fmt: skip
        assert fault in str(error.value)
    bad = as_tensors({**tiny_arrays, "norm_out.bias": np.full(8, np.nan, np.float32)})
    with pytest.raises(ConversionError, match=r"1 faults[^$]*not finite as float32: norm_out\.bias"):
        parameters_from(bad, tiny.network)
    large = as_tensors({**tiny_arrays, "norm_out.bias": np.full(8, 3.4e38, np.float32)})
    assert parameters_from(large, tiny.network)
    with pytest.raises(ConversionError, match=r"not finite as bfloat16: norm_out\.bias"):
        parameters_from(large, tiny.network, ml_dtypes.bfloat16)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "vit"}, "architecture 'vit', the tensors 'ddpm'"),
        ({"schedule": "quadratic"}, "not understood"),
        ({"config": {**CONFIG["config"], "x": 1}}, "names that ddpm doesn't know: x"),
        ({"config": {**CONFIG["config"], "ch": 16}}, "ch is 16 by the config, 8 by the tensors"),
        ({"predicton": "v"}, r"not known, \['predicton'\]"),
        ({"prediction": "score"}, "prediction 'score' is not known"),
        ({"schedule": "linear 1-4..0.02, T=10"}, "can't be understood"),
        ({"schedule": "cosine, T=0"}, "not understood"),
        ({"config": {**CONFIG["config"], "patch_size": 0}}, "patch_size must be a positive"),
        ({"config": {**CONFIG["config"], "image_size": "8"}}, "image_size must be a positive"),
        ({"config": {**CONFIG["config"], "head_channels": 3}}, "can't be divided"),
        ({"config": {**CONFIG["config"], "time_embedding": "x"}}, "must be one of sin_cos, cos_sin"),
        ({"config": {**CONFIG["config"], "attn_resolutions": [8]}}, r"at sides \(8,\) by the config, at \(4,\)"),
        ({"config": {**CONFIG["config"], "image_size": 4}}, "Attention is at sides"),
        ({"config": {"patch_size": 2, "norm_groups": 4}}, r"don't tell image_size\. Write it into a JSON"),
    ],
)
def test_configs_that_do_not_fit(change, words, tiny_arrays, tmp_path):
    with pytest.raises(ValueError, match=words):
        convert(torch_file(tmp_path / "a.pt", tiny_arrays), {**CONFIG, **change})


def test_what_shapes_cannot_tell_is_asked_for_by_name(tmp_path):
    arrays = torch_arrays(drawn(NETWORKS[2]))
    with pytest.raises(ConversionError, match=r"image_size, num_head_channels .*use_new_attention_order, schedule"):
        convert(torch_file(tmp_path / "a.pt", arrays))
    small = {"image_size": 16, "num_head_channels": 4, "groups": 4, "use_new_attention_order": False}
    for published, words in (
        ({"noise_schedule": "linear", "diffusion_steps": 4000}, "told its times in units of a thousandth"),
        ({"noise_schedule": "linear", "diffusion_steps": 1000}, None),
        ({"noise_schedule": "cosine", "diffusion_steps": 4000, "rescale_timesteps": False}, None),
        ({"noise_schedule": "cosine", "attention_resolutions": 8, "channel_mult": "1,2"}, None),
    ):
        config = {"config": small | published}
        if words is None:
            steps = published.get("diffusion_steps", 1000)
            assert len(convert(torch_file(tmp_path / "a.pt", arrays), config).schedule) == steps
        else:
            with pytest.raises(ConversionError, match=words):
                convert(torch_file(tmp_path / "a.pt", arrays), config)
    assert schedule_text({"noise_schedule": "linear"}) == "linear 0.0001..0.02, T=1000"
    del arrays["time_embed.0.weight"]
    with pytest.raises(ConversionError, match=r"not those of a whole U-Net: 'time_embed\.0\.weight'"):
        convert(torch_file(tmp_path / "a.pt", arrays))


SCHEDULER = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02, "num_train_timesteps": 1000}


@pytest.fixture
def diffusers_folder(tmp_path):
    about = json.loads((FOLDER / "diffusers_unet2d" / "weights.json").read_text())
    folder = tmp_path / "model"
    (folder / "scheduler").mkdir(parents=True)
    save_file(weights(about["seed"], about["tensors"]), folder / "diffusion_pytorch_model.safetensors")
    (folder / "config.json").write_text((FOLDER / "diffusers_unet2d" / "config.json").read_text())
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    return folder


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_diffusers_folder(diffusers_folder):
    prior = convert(diffusers_folder)
    assert (prior.prediction, prior.shape) == ("noise", (16, 16, 3))
    np.testing.assert_array_equal(prior.schedule.alpha_bar, jr.schedule.linear().alpha_bar)
    scheduler = diffusers_folder / "scheduler" / "scheduler_config.json"
    edit(scheduler, prediction_type="v_prediction", beta_schedule="squaredcos_cap_v2")
    assert convert(diffusers_folder).prediction == "v"
    np.testing.assert_array_equal(convert(diffusers_folder).schedule.alpha_bar, jr.schedule.cosine().alpha_bar)
    edit(scheduler, prediction_type="epsilon", predict_epsilon=True)
    assert convert(diffusers_folder).prediction == "noise"
    for changes, words in (
        ({"prediction_type": "flow"}, "'flow' is not known"),
        ({"prediction_type": ["x"]}, "can't be understood"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "'FlowMatchEulerDiscreteScheduler' is not known"),
        (
            {"prediction_type": "epsilon", "_class_name": "DDIMScheduler", "num_train_timesteps": 10**11},
            "between 1 and 100000",
        ),
        ({"num_train_timesteps": 1000, "trained_betas": [2]}, "can't be understood"),
        ({"trained_betas": None, "rescale_betas_zero_snr": True}, "no signal at its end"),
        ({"rescale_betas_zero_snr": False, "beta_schedule": "x"}, "beta_schedule 'x'"),
    ):
        edit(scheduler, **changes)
        with pytest.raises(ConversionError, match=words):
            convert(diffusers_folder)
    scheduler.unlink()
    with pytest.raises(ConversionError, match="don't tell schedule"):
        convert(diffusers_folder)
    assert convert(diffusers_folder, {"schedule": "cosine, T=1000"}).prediction == "noise"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_class_name": "UNet2DConditionModel"}, "only UNet2DModel is known"),
        ({"resnet_time_scale_shift": "scale_shift"}, "no such option: resnet_time_scale_shift='scale_shift'"),
        ({"freq_shift": 0}, "flip_sin_to_cos=False, freq_shift=0"),
        ({"down_block_types": ["DownBlock2D", "SkipDownBlock2D", "DownBlock2D"]}, "not those of a DDPM U-Net"),
        ({"layers_per_block": 2}, "num_res_blocks is 2 by the config, 1 by the tensors"),
        ({"downsample_padding": 3}, "downsample_padding=3"),
        ({"block_out_channels": []}, "can't be understood"),
        ({"block_out_channels": [0, 1, 2]}, "can't be understood"),
        ({"down_block_types": 3}, "can't be understood"),
        ({"attention_head_dim": 7}, "can't be divided"),
        ({"sample_size": 18}, "not divisible by 4|Attention is at sides"),
    ],
)
def test_diffusers_networks_of_another_kind_are_refused(changes, words, diffusers_folder):
    edit(diffusers_folder / "config.json", **changes)
    with pytest.raises(ConversionError, match=words):
        convert(diffusers_folder)


def test_a_small_file_asks_for_no_large_network():
    tensors = {f"down.{i}.block.0.conv1.weight": np.zeros((4, 4, 3, 3), np.float32) for i in range(24)}
    tensors |= {f"down.0.block.{i}.norm1.weight": np.zeros(4, np.float32) for i in range(24)}
    tensors |= {
        "conv_in.weight": np.zeros((4, 3, 3, 3), np.float32),
        "conv_out.weight": np.zeros((3, 4, 3, 3), np.float32),
    }
    with pytest.raises(ConversionError, match="too few for a U-Net of 24 levels of 24 blocks"):
        plan(as_tensors(tensors), CONFIG)
    with pytest.raises(ConversionError, match="a classifier is no prior"):
        plan(
            as_tensors({"input_blocks.0.0.weight": tensors["conv_in.weight"], "time_embed.0.weight": np.zeros((4, 4))})
        )
    with pytest.raises(ConversionError, match="give the folder"):
        plan(as_tensors({"down_blocks.0.resnets.0.conv1.weight": tensors["conv_in.weight"]}))


def test_a_folder_without_weights_or_config_is_named(diffusers_folder, tmp_path):
    (diffusers_folder / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ReadError, match="holds no weights"):
        convert(diffusers_folder)
    with pytest.raises(ReadError, match=r"config\.json can't be read"):
        convert(tmp_path)


def test_the_names_of_older_diffusers_are_the_same(diffusers_folder):
    about = json.loads((FOLDER / "diffusers_unet2d" / "weights.json").read_text())
    tensors = as_tensors(weights(about["seed"], about["tensors"]))
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for name, tensor in tensors.items():
        for new, older in old.items():
            name = name.replace(f".{new}.", f".{older}.")
        renamed[name] = tensor
    assert renamed.keys() != tensors.keys()
    assert diffusers.rename(renamed, 3) == diffusers.rename(tensors, 3)
    with pytest.raises(ConversionError, match="Two tensors mean"):
        diffusers.rename({**tensors, **renamed}, 3)


def test_the_command_writes_a_prior_and_refuses_in_a_sentence(tiny, tiny_arrays, tmp_path):
    source = torch_file(tmp_path / "tiny.pt", tiny_arrays)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    command = [source, tmp_path / "out", "--config", tmp_path / "config.json"]
    subprocess.run([sys.executable, "-m", "checkpoints_convert", *command], check=True, capture_output=True)
    card = jr.read_card(tmp_path / "out")
    assert card["source"] == {"files": {"tiny.pt": file_sha256(source)}}
    assert jr.load_prior(tmp_path / "out").name == "tiny"
    again = subprocess.run(
        [sys.executable, "-m", "jaxrestore", "convert", *command], check=False, capture_output=True, text=True
    )
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "exists already" in again.stderr


def test_a_prior_in_bfloat16_loads_as_float32(tiny, tiny_arrays, tmp_path, capsys):
    source = torch_file(tmp_path / "tiny.pt", tiny_arrays)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    for dtype in ("float32", "bfloat16"):
        command = ["convert", source, tmp_path / dtype, "--config", tmp_path / "config.json", "--dtype", dtype]
        with pytest.raises(SystemExit) as exit_:
            main(list(map(str, command)))
        assert exit_.value.code == 0
    assert "16 x 16" in capsys.readouterr().out
    found = jr.load_prior(tmp_path / "bfloat16").parameters
    wanted = jax.tree.map(lambda leaf: np.asarray(leaf).astype(ml_dtypes.bfloat16).astype(np.float32), tiny.parameters)
    assert_equal(found, wanted)
    stored = [sum(p.stat().st_size for p in (tmp_path / d).rglob("*")) for d in ("float32", "bfloat16")]
    assert stored[1] < stored[0]


def test_a_killed_conversion_leaves_nothing_that_loads(tiny, tiny_arrays, tmp_path, monkeypatch):
    from orbax.checkpoint import v1 as ocp

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ocp, "save", killed)
    prior = convert(torch_file(tmp_path / "tiny.pt", tiny_arrays), CONFIG)
    with pytest.raises(KeyboardInterrupt):
        jr.save_prior(prior, tmp_path / "out")
    left = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert tmp_path / "out" not in left
    for folder in left:
        with pytest.raises(jr.PriorError):
            jr.load_prior(folder)
