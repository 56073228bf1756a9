"""The distance in EfficientNet-Lite0's features, with random weights under the published names."""

import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from torch_writer import torch_file

import jaxrestore as jr
from jaxrestore.metrics import lite0


def random_lite0(seed=0):
    """Tensors by the published names and shapes."""
    draw, tensors = np.random.default_rng(seed), {}

    def convolution(name, norm, width, inputs, side):
        scale = (2 / (inputs * side**2)) ** 0.5
        tensors[f"{name}.weight"] = scale * draw.standard_normal((width, inputs, side, side), np.float32)
        for part, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            tensors[f"{norm}.{part}"] = np.float32(value) + draw.uniform(0, 0.2, width).astype(np.float32)

    convolution("_conv_stem", "_bn0", lite0.STEM, 3, 3)
    inputs, number = lite0.STEM, 0
    for stage in lite0.STAGES:
        for _ in range(stage.blocks):
            name, wide = f"_blocks.{number}", inputs * stage.expansion
            if stage.expansion > 1:
                convolution(f"{name}._expand_conv", f"{name}._bn0", wide, inputs, 1)
            convolution(f"{name}._depthwise_conv", f"{name}._bn1", wide, 1, stage.kernel)
            convolution(f"{name}._project_conv", f"{name}._bn2", stage.width, wide, 1)
            inputs, number = stage.width, number + 1
    convolution("_conv_head", "_bn1", lite0.HEAD, inputs, 1)
    tensors["_fc.weight"] = 0.01 * draw.standard_normal((lite0.CLASSES, lite0.HEAD), np.float32)
    tensors["_fc.bias"] = np.zeros(lite0.CLASSES, np.float32)
    return tensors


@pytest.fixture(scope="module")
def tensors():
    return random_lite0()


def test_it_is_a_distance(tensors):
    one, other = np.random.default_rng(0).uniform(-1, 1, (2, 2, 32, 24, 3)).astype(np.float32)
    network = lite0.lite0_from(tensors)
    network = lite0.Lite0(network.stem, network.blocks, network.head, network.classifier, side=24)
    found = jax.jit(lambda network, a, b: network(a, b))
    pairs = [(one, one), (one, other), (other, one), (one, np.float32(0.9) * one + np.float32(0.1) * other)]
    same, there, back, nearer = np.split(np.asarray(found(network, *map(np.concatenate, zip(*pairs, strict=True)))), 4)
    np.testing.assert_allclose(same, 0, atol=1e-6)
    np.testing.assert_allclose(there, back, rtol=1e-4)
    assert np.max(nearer / there) < 0.5
    assert np.all(there < 4 * len(lite0.STAGES))  # of opposite directions at every position


def test_a_normalisation_is_folded_into_its_convolution(tensors):
    stem = lite0.lite0_from(tensors).stem
    x = np.random.default_rng(1).standard_normal((1, 6, 6, 3), np.float32)
    found = np.asarray(lite0._convolved(jnp.asarray(x), stem, 2))
    padded = np.pad(x[0], ((0, 1), (0, 1), (0, 0)))  # as TensorFlow pads an even side: behind
    patch = padded[2:5, 4:7]
    value = np.einsum("hwi,oihw->o", patch, tensors["_conv_stem.weight"])
    value = (value - tensors["_bn0.running_mean"]) / np.sqrt(tensors["_bn0.running_var"] + lite0.EPSILON)
    np.testing.assert_allclose(
        found[0, 1, 2], value * tensors["_bn0.weight"] + tensors["_bn0.bias"], rtol=1e-4, atol=1e-5
    )


def test_it_is_read_from_a_torch_file_or_a_wheel_and_no_other(tensors, tmp_path):
    torch_file(tmp_path / "lite0.pth", tensors)
    with zipfile.ZipFile(tmp_path / "lite0.whl", "w") as wheel:
        wheel.write(tmp_path / "lite0.pth", lite0.MEMBER)
    read, wheeled = lite0.load_lite0(tmp_path / "lite0.pth"), lite0.load_lite0(tmp_path / "lite0.whl")
    jax.tree.map(np.testing.assert_array_equal, read, wheeled)
    (tmp_path / "lite0.pth").rename(tmp_path / "bare.whl")  # a zip file, too
    with pytest.raises(jr.InputError, match=r"bare\.whl is not the wheel"):
        lite0.load_lite0(tmp_path / "bare.whl")
    whole = (tmp_path / "lite0.whl").read_bytes()
    (tmp_path / "cut.whl").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "spoilt.whl").write_bytes(whole.replace(b"data.pkl", b"data.pkx"))
    for name, words in (
        ("cut.whl", "can't be read as a wheel"),
        ("spoilt.whl", "read"),
        ("no.whl", "There is no file"),
    ):
        with pytest.raises(jr.InputError, match=words):
            lite0.load_lite0(tmp_path / name)
    with pytest.raises(jr.InputError, match="There is no file"):
        lite0.load_lite0(tmp_path)
    with pytest.raises(jr.InputError, match=r"no tensor _blocks\.3\._expand_conv\.weight"):
        lite0.lite0_from({name: value for name, value in tensors.items() if "_blocks.3._expand" not in name})
    with pytest.raises(jr.InputError, match=r"_fc\.bias has shape"):
        lite0.lite0_from({**tensors, "_fc.bias": np.zeros(7, np.float32)})
