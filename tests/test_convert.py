"""The converter: names, faults, and files that would do harm."""

import contextlib
import json
import pickle
import subprocess
import sys
import zipfile

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints_convert import ConversionError, ReadError, convert, ddpm, read_torch

CONFIG = {
    "architecture": "ddpm",
    "config": {
        "ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [4], "in_channels": 12, "out_ch": 12,
        "image_size": 8, "patch_size": 2, "norm_groups": 4, "prediction": "v",
    },
    "schedule": "linear 1e-4..0.02, T=1000",
}  # fmt: skip


def torch_tensors(tiny):
    """The tiny prior's parameters under their PyTorch names, axes and shapes."""
    tensors = {}
    for path, array in ddpm._paths(tiny.parameters):
        array = np.asarray(array)
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif array.ndim == 2:
            array = array.T if "dense" in path or "temb_proj" in path else array.T[:, :, None, None]
        tensors[ddpm._torch_name(path)] = array
    return tensors


def torch_file(path, tensors):
    """A torch zip file written by hand, as `torch.save` lays it out."""

    class Storage:
        def __init__(self, key, size):
            self.pid = ("storage", Name("torch", "FloatStorage"), key, "cpu", size)

    class Pickler(pickle._Pickler):
        def persistent_id(self, obj):
            return obj.pid if isinstance(obj, Storage) else None

        def save_name(self, obj):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())

    class Name:
        def __init__(self, module, name):
            self.module, self.name = module, name

    class Tensor:
        def __init__(self, *arguments):
            self.arguments = arguments

    def save_tensor(pickler, tensor):
        pickler.save_reduce(Name("torch._utils", "_rebuild_tensor_v2"), tensor.arguments, obj=tensor)

    Pickler.dispatch = {**pickle._Pickler.dispatch, Name: Pickler.save_name, Tensor: save_tensor}
    Name.__call__ = lambda self: None  # what a pickle calls must look callable
    content, arrays = {}, {}
    for i, (name, array) in enumerate(tensors.items()):
        arrays[str(i)] = np.ascontiguousarray(array, np.float32)
        strides = tuple(step // 4 for step in arrays[str(i)].strides)
        content[name] = Tensor(Storage(str(i), array.size), 0, array.shape, strides, False, {})
    with zipfile.ZipFile(path, "w") as archive, archive.open("tiny/data.pkl", "w") as stream:
        Pickler(stream, 2).dump(content)
    with zipfile.ZipFile(path, "a") as archive:
        for key, array in arrays.items():
            archive.writestr(f"tiny/data/{key}", array.tobytes())
    return path


def test_a_torch_file_becomes_the_prior(tiny, tmp_path):
    prior = convert(torch_file(tmp_path / "tiny.pt", torch_tensors(tiny)), CONFIG)
    assert (prior.prediction, prior.shape, prior.network) == ("v", (16, 16, 3), tiny.network)
    for found, wanted in zip(jax.tree.leaves(prior.parameters), jax.tree.leaves(tiny.parameters), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_the_command_writes_a_prior_and_refuses_in_a_sentence(tiny, tmp_path):
    import jaxrestore as jr

    source = torch_file(tmp_path / "tiny.pt", torch_tensors(tiny))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    command = [
        sys.executable,
        "-m",
        "checkpoints_convert",
        source,
        tmp_path / "out",
        "--config",
        tmp_path / "config.json",
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert jr.read_card(tmp_path / "out")["source"]["file"] == "tiny.pt"
    assert jr.load_prior(tmp_path / "out").name == "tiny"
    again = subprocess.run(command, check=False, capture_output=True, text=True)
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "exists already" in again.stderr


def test_faulty_tensors_are_all_listed(tiny):
    tensors = torch_tensors(tiny)
    tensors["extra.weight"] = np.zeros(3)
    del tensors["conv_in.bias"]
    tensors["conv_out.bias"] = np.zeros(5)
    tensors["norm_out.bias"] = np.full(8, np.nan)
    with pytest.raises(ConversionError) as error:
        ddpm.parameters_from(tensors, tiny.network)
    for fault in (
        "(4 faults)",
        "missing: conv_in.bias",
        "extra.weight",
        "misshapen: conv_out.bias",
        "finite: norm_out.bias",
    ):
        assert fault in str(error.value)


@pytest.mark.parametrize(
    "change", [{"architecture": "vit"}, {"schedule": "quadratic"}, {"config": {**CONFIG["config"], "x": 1}}]
)
def test_unknown_configs_are_refused(change, tmp_path):
    with pytest.raises(ConversionError, match=r"not known|not understood|doesn't know"):
        convert(tmp_path / "never-read.pt", {**CONFIG, **change})


def test_nothing_in_a_file_is_executed(tmp_path):
    class Harm:
        def __reduce__(self):
            return (print, ("executed",))

    with zipfile.ZipFile(tmp_path / "harm.pt", "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps(Harm(), 2))
    with pytest.raises(ReadError, match=r"asks for .*print"):
        read_torch(tmp_path / "harm.pt")


def test_truncated_and_foreign_files_are_named(tiny, tmp_path):
    whole = torch_file(tmp_path / "tiny.pt", torch_tensors(tiny)).read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match=r"cut\.pt is not a torch zip file, or it is truncated"):
        read_torch(tmp_path / "cut.pt")
    with pytest.raises(ReadError, match="There is no file"):
        read_torch(tmp_path / "none.pt")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ReadError, match="not one of torch"):
        read_torch(tmp_path / "other.zip")


@settings(max_examples=60)
@given(st.binary(max_size=120), st.integers(0, 40))
def test_no_pickle_raises_anything_else(tmp_path_factory, noise, keep):
    path = tmp_path_factory.mktemp("pickles") / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({"a": [1, 2.0, "three"]}, 2)[:keep] + noise)
    with contextlib.suppress(ReadError):
        read_torch(path)
