"""Folders of diffusers as they are found: variants, shards, averaged weights beside others, former names; and files that
stand in for others."""

import json
import shutil

import jax
import numpy as np
import pytest
from golden_files import FOLDER, weights
from safetensors.numpy import save_file

import jaxrestore as jr
from checkpoints_convert import ConversionError, ReadError, convert, files_read, read
from checkpoints_convert.diffusers import FORMER

ABOUT = json.loads((FOLDER / "diffusers_unet2d" / "weights.json").read_text())
CONFIG = json.loads((FOLDER / "diffusers_unet2d" / "config.json").read_text())
SCHEDULER = {"_class_name": "EulerDiscreteScheduler", "beta_schedule": "squaredcos_cap_v2"}
ARRAYS = weights(ABOUT["seed"], ABOUT["tensors"])
NAME = "diffusion_pytorch_model"


def model(folder, arrays=ARRAYS, config=CONFIG, name=f"{NAME}.safetensors"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(arrays, folder / name)
    return folder


def scheduler(folder, config=SCHEDULER):
    (folder / "scheduler").mkdir(parents=True, exist_ok=True)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))


def scaled(factor, dtype=np.float32):
    return {name: (factor * array).astype(dtype) for name, array in ARRAYS.items()}


def first(prior):
    """A tensor by which copies are told apart, in units of the original."""
    return float(np.asarray(prior.parameters["conv_in"]["bias"] / ARRAYS["conv_in.bias"]).mean().round(2))


def test_weights_of_a_variant_serve_where_there_are_no_others(tmp_path):
    scheduler(tmp_path)
    model(tmp_path, scaled(2, np.float16), name=f"{NAME}.fp16.safetensors")
    prior = convert(tmp_path)
    assert first(prior) == 2
    assert {leaf.dtype for leaf in jax.tree.leaves(prior.parameters)} == {np.dtype(np.float32)}
    model(tmp_path)
    assert first(convert(tmp_path)) == 1
    assert f"{NAME}.safetensors" in files_read(tmp_path)


def shard(folder, index=f"{NAME}.safetensors.index.json"):
    """The weights of a folder in two files."""
    names, files = sorted(ARRAYS), [f"{NAME}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    placed = {name: files[i % 2] for i, name in enumerate(names)}
    for file in files:
        save_file({name: ARRAYS[name] for name in names if placed[name] == file}, folder / file)
    (folder / index).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": placed}))
    return folder / index, placed


@pytest.mark.parametrize("index", [f"{NAME}.safetensors.index.json", f"{NAME}.safetensors.index.fp16.json"])
def test_weights_in_several_files(index, tmp_path):
    scheduler(tmp_path)
    (model(tmp_path) / f"{NAME}.safetensors").unlink()
    path, placed = shard(tmp_path, index)
    assert first(convert(tmp_path)) == 1
    assert {path, *(path.parent / file for file in placed.values())} < set(files_read(tmp_path).values())
    assert set(read(path)) == set(ARRAYS)
    for changes, words in (
        ({**placed, "more": placed["conv_in.bias"]}, "does not hold the tensors .* see 'more'"),
        ({name: file for name, file in placed.items() if name != "conv_in.bias"}, "see 'conv_in.bias'"),
        ({**placed, "conv_in.bias": "absent.safetensors"}, "the shard 'absent.safetensors' is missing"),
        ({**placed, "conv_in.bias": "../x.safetensors"}, "does not lie in its folder"),
        ({**placed, "conv_in.bias": index}, "is not a torch file"),
        ({**placed, "conv_in.bias": 3}, "the shard '3' is missing"),
        ({}, "has no weight_map"),
        ([], "has no weight_map"),
    ):
        path.write_text(json.dumps({"weight_map": changes}))
        with pytest.raises(ReadError, match=words):
            convert(tmp_path)


def test_averaged_weights_of_a_training(tmp_path):
    scheduler(tmp_path)
    checkpoint = tmp_path / "checkpoint-500"
    model(checkpoint / "unet")
    model(checkpoint / "unet_ema", scaled(3), {**CONFIG, "decay": 0.9999, "inv_gamma": 1.0, "optimization_step": 500})
    assert (first(convert(checkpoint)), first(convert(checkpoint, use_ema=True))) == (1, 3)
    assert "unet_ema/config.json" in files_read(checkpoint, use_ema=True)
    alone = convert(checkpoint / "unet_ema")
    assert first(alone) == 3
    np.testing.assert_array_equal(alone.schedule.alpha_bar, jr.schedule.cosine().alpha_bar)
    shutil.rmtree(checkpoint / "unet")
    assert first(convert(checkpoint)) == first(convert(checkpoint, use_ema=True)) == 3


def test_a_scheduler_that_is_not_known_is_not_asked_where_all_is_said(tmp_path):
    scheduler(model(tmp_path), {"_class_name": "EDMEulerScheduler"})
    with pytest.raises(
        ConversionError, match=r"'EDMEulerScheduler' is not known; .* say \"schedule\" and \"prediction\""
    ):
        convert(tmp_path)
    said = {"schedule": "cosine, T=1000", "prediction": "v"}
    assert convert(tmp_path, said).prediction == "v"


def test_a_network_of_the_former_name(tmp_path):
    """Its options had other names, and in some files its tensors."""
    today = {new: old for old, new in FORMER.items()}
    blocks = {name: [f"UNetRes{kind}" for kind in CONFIG[name]] for name in ("down_block_types", "up_block_types")}
    former = {today.get(name, name): value for name, value in {**CONFIG, **blocks}.items()}
    former |= {"_class_name": "UNetUnconditionalModel", "ldm": False, "attention_resolutions": [8, 4, 2]}
    names = {"down_blocks.": "downsample_blocks.", "up_blocks.": "upsample_blocks.", "mid_block.": "mid."}
    arrays = {}
    for name, array in ARRAYS.items():
        start = next((new for new in names if name.startswith(new)), "")
        arrays[names.get(start, "") + name.removeprefix(start)] = array
    wanted = convert(model(tmp_path / "new"), {"schedule": "cosine, T=1000"})
    for given, config in ((ARRAYS, {**CONFIG, "_class_name": "UNetUnconditionalModel"}), (arrays, former)):
        found = convert(model(tmp_path / "old", given, config), {"schedule": "cosine, T=1000"})
        assert found.network == wanted.network
        for a, b in zip(jax.tree.leaves(found.parameters), jax.tree.leaves(wanted.parameters), strict=True):
            np.testing.assert_array_equal(a, b)


STAND_INS = {
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 123456\n": "is a Git LFS pointer.*git lfs pull",
    b"<!DOCTYPE html>\n<html><head><title>Log in</title>": "is a web page.*download it again",
    b"\n  <HTML><body>Quota exceeded": "is a web page",
    b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>': "is a web page",
    b"\x1f\x8b\x08\x00": "is a compressed archive: unpack it",
    b"\x89HDF\r\n\x1a\n": "is an HDF5 file",
}


@pytest.mark.parametrize("data", STAND_INS)
@pytest.mark.parametrize(
    "name", ["a.pt", "a.safetensors", "config.json", "model.json", f"{NAME}.safetensors.index.json"]
)
def test_what_stands_in_for_a_checkpoint_is_told(data, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ReadError, match=f"{name} {STAND_INS[data]}"):
        convert(path if name.startswith("a.") or "index" in name else tmp_path)


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors", "config.json"])
def test_a_file_that_may_not_be_read(name, tmp_path, monkeypatch):
    path = tmp_path / name
    path.write_bytes(b"x")
    monkeypatch.setattr(type(path), "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(ReadError, match=f"{name} can't be read: Permission denied"):
        convert(tmp_path if name == "config.json" else path)
