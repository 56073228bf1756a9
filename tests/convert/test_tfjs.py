"""Folders of TensorFlow.js: quantised weights, graphs of other networks, and files that would do harm."""

import contextlib
import copy
import dataclasses
import json
import os
import tracemalloc
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorstore
from hypothesis import given, settings
from hypothesis import strategies as st
from tfjs_writer import encoded, model_of, write_tfjs

import jaxrestore as jr
from checkpoints_convert import ConversionError, ReadError, convert, convert_to, files_read
from checkpoints_convert.keras_unet import read_keras
from checkpoints_convert.plan import plan
from checkpoints_convert.tfjs import read_tfjs
from checkpoints_convert.tfjs_graph import same_equation
from jaxrestore.diffusion.storage import verify_prior
from jaxrestore.networks import KerasUNet

FACES = Path(__file__).parents[2].parent / "shared" / "priors" / "faces64"  # 63 MB that the repository doesn't hold
SCHEDULE = {"schedule": "cosine, T=300, max_beta=0.9999"}
NETWORKS = [
    KerasUNet(image_size=8, ch=8, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=(4,), groups=4),
    KerasUNet(image_size=16, channels=1, out_channels=1, ch=8, ch_mult=(2, 1, 1.5), num_res_blocks=2, groups=2,
              attn_resolutions=(16, 4), norm_eps=1e-5),
    KerasUNet(image_size=8, ch=8, ch_mult=(1,), num_res_blocks=2, attn_resolutions=(), groups=1,
              frequencies=tuple(0.5**i for i in range(16))),
]  # fmt: skip
SINGLE = KerasUNet(image_size=4, ch=4, ch_mult=(1,), num_res_blocks=1, attn_resolutions=(), groups=2)
BITS = {"uint8": 8, "uint16": 16}


@pytest.fixture(scope="module")
def small():
    """A small network's model.json, as an object, and its shards."""
    return model_of(NETWORKS[0], NETWORKS[0].init(jax.random.key(0)))


@pytest.fixture(scope="module")
def single():
    """The smallest one."""
    return model_of(SINGLE, SINGLE.init(jax.random.key(0)))


def refused(folder, words, error=(ReadError, ConversionError)):
    with pytest.raises(error) as raised:
        convert(folder, SCHEDULE)
    assert words in str(raised.value)
    assert str(folder) in str(raised.value)
    assert len(str(raised.value)) < 900
    return raised.value


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: str(network.ch_mult))
def test_round_trip(network, tmp_path):
    parameters = network.init(jax.random.key(0))
    prior = convert(write_tfjs(tmp_path / "tiny", *model_of(network, parameters)), SCHEDULE)
    assert (prior.network, prior.name, prior.prediction) == (network, "tiny", "noise")
    jax.tree.map(np.testing.assert_array_equal, prior.parameters, parameters)
    np.testing.assert_array_equal(prior.schedule.alpha_bar, jr.schedule.cosine(300, max_beta=0.9999).alpha_bar)


@pytest.mark.parametrize("how", ["uint8", "uint16", "float16"])
def test_quantised_weights_are_within_half_a_step(how, tmp_path):
    parameters = NETWORKS[0].init(jax.random.key(0))
    prior = convert(write_tfjs(tmp_path / "tiny", *model_of(NETWORKS[0], parameters, how)), SCHEDULE)
    for found, wanted in zip(jax.tree.leaves(prior.parameters), jax.tree.leaves(parameters), strict=True):
        spread = float(wanted.max() - wanted.min())
        step = np.abs(wanted) * 2.0**-10 + 1e-7 if how == "float16" else spread / (2 ** BITS[how] - 1) + 1e-6
        assert found.dtype == jnp.float32
        assert np.all(np.abs(found - wanted) <= 0.51 * step)
    np.testing.assert_allclose(prior.network.frequencies, 1e4 ** (-np.arange(16) / 15), atol=0.51 / 255)
    plain = dataclasses.replace(prior.network, frequencies=None, norm_eps=1e-3)
    assert plain == NETWORKS[0]
    assert prior.network.norm_eps == pytest.approx(1e-3, rel=5e-4)
    x = jax.random.normal(jax.random.key(1), (1, 8, 8, 3))
    difference = prior.network(prior.parameters, x, 3) - NETWORKS[0](parameters, x, 3)
    assert float(jnp.abs(difference).max()) < (0.1 if how == "uint8" else 2e-3)


def test_a_converted_prior_can_be_saved(small, tmp_path):
    prior = convert(write_tfjs(tmp_path / "tiny", *small), SCHEDULE, dtype="bfloat16", name="small")
    jr.save_prior(prior, tmp_path / "saved", data="nothing")
    again = jr.load_prior(tmp_path / "saved")
    assert (again.network, again.shape, again.name) == (prior.network, (8, 8, 3), "small")
    jax.tree.map(np.testing.assert_array_equal, again.parameters, jax.tree.map(jnp.float32, prior.parameters))
    assert files_read(tmp_path / "tiny").keys() == {"model.json", *small[1]}


@pytest.mark.skipif(not FACES.is_dir(), reason=f"the published model is not there: {FACES}")
def test_the_published_model_is_known():
    tensors, folder = read_keras(FACES)
    found = plan(tensors, None, folder)
    assert dataclasses.replace(found.network, frequencies=None) == KerasUNet()
    assert (len(found.schedule), found.prediction, folder.weights.name) == (300, "noise", "model.json")


def test_what_the_graph_does_not_tell_is_asked_for(small, tmp_path):
    model, shards = copy.deepcopy(small[0]), small[1]
    folder = write_tfjs(tmp_path / "a", model, shards)
    with pytest.raises(ConversionError, match=r"\(keras\), but don't tell schedule"):
        convert(folder)
    with pytest.raises(ConversionError, match="image_size is 16 by the config, 8 by the graph"):
        convert(folder, {**SCHEDULE, "config": {"image_size": 16}})
    with pytest.raises(ConversionError, match="groups is 2 by the config, 4 by the graph"):
        convert(folder, {**SCHEDULE, "config": {"norm_groups": 2}})
    with pytest.raises(ConversionError, match="num_res_blocks is 3 by the config, 1 by"):
        convert(folder, {**SCHEDULE, "config": {"num_res_blocks": 3}})
    with pytest.raises(ConversionError, match="none under 'ema'"):
        convert(folder, SCHEDULE, key="ema")
    with pytest.raises(ConversionError, match="architecture 'ddpm', the tensors 'keras'"):
        convert(folder, {**SCHEDULE, "architecture": "ddpm"})
    free = {"shape": {"dim": [{"size": "-1"}] * 3 + [{"size": "3"}]}}
    for node in model["modelTopology"]["node"]:
        if node["name"] == "image_input":
            node["attr"]["shape"] = free
        if node["op"] == "ResizeNearestNeighbor":  # by factors
            size, node["input"][1] = node["input"][1], "factors"
    nodes = model["modelTopology"]["node"]
    nodes += [{"name": "factors", "op": "Mul", "input": ["s", "two"]}, {"name": "two", "op": "Const"}]
    weights = model["weightsManifest"][0]["weights"]
    next(weight for weight in weights if weight["name"] == size)["name"] = "two"
    with pytest.raises(ConversionError, match=r"is by \[8, 8\], not by 2"):
        convert(write_tfjs(tmp_path / "a", model, shards), SCHEDULE)


def changed_node(op, number=0, /, **changes):
    """A change of the numbered node of an operation: of its op, inputs, or attributes."""

    def change(model):
        nodes = [node for node in model["modelTopology"]["node"] if node["op"] == op]
        nodes[number].update({name: value for name, value in changes.items() if name != "attr"})
        nodes[number].setdefault("attr", {}).update(changes.get("attr", {}))

    return change


def swapped(op, number=0):
    def change(model):
        nodes = [node for node in model["modelTopology"]["node"] if node["op"] == op]
        nodes[number]["input"] = nodes[number]["input"][::-1]

    return change


def shared_weight(model):
    nodes = [node for node in model["modelTopology"]["node"] if node["op"] == "_FusedConv2D"]
    nodes[3]["input"][1] = nodes[2]["input"][1]


def exchanged_skips(model):
    nodes = [node for node in model["modelTopology"]["node"] if node["op"] == "ConcatV2" and "attr" in node][1:]
    nodes[0]["input"][1], nodes[1]["input"][1] = nodes[1]["input"][1], nodes[0]["input"][1]


def without_attention(model):
    """The first attention left out, on the way down only."""
    nodes = model["modelTopology"]["node"]
    by_name = {node["name"]: node for node in nodes}
    first = next(node for node in nodes if node["op"] == "AddV2" and by_name[node["input"][1]]["op"] == "BiasAdd")
    norm = by_name[first["input"][0]]
    parts = by_name[by_name[by_name[norm["input"][0]]["input"][0]]["input"][0]]
    for node in nodes:
        node["input"] = [parts["input"][0] if name == first["name"] else name for name in node.get("input", [])]


LIST = {"list": {"i": ["1", "3", "3", "1"]}}
OTHER_GRAPHS = {
    "another activation": (changed_node("Sigmoid", 7, op="Tanh"), "is no swish"),
    "another padding": (changed_node("_FusedConv2D", 2, attr={"padding": encoded("VALID")}), "padding of 'VALID'"),
    "a stride of three": (changed_node("_FusedConv2D", 2, attr={"strides": LIST}), "has a stride of 3"),
    "dilated": (changed_node("_FusedConv2D", 2, attr={"dilations": LIST}), "order of axes, dilations"),
    "fused with more": (
        changed_node("_FusedConv2D", 2, attr={"fused_ops": {"list": {"s": [encoded("Relu")["s"]]}}}),
        "is fused with Relu",
    ),
    "transposed": (changed_node("MatMul", 2, attr={"transpose_b": {"b": True}}), "of a transposed matrix"),
    "bilinear": (changed_node("ResizeNearestNeighbor", op="ResizeBilinear"), "is ResizeBilinear, where ResizeNearest"),
    "aligned corners": (changed_node("ResizeNearestNeighbor", attr={"align_corners": {"b": True}}), "aligns corners"),
    "cosines first": (swapped("ConcatV2", 0), "is Const, where Sin belongs"),
    "keys of other axes": (changed_node("Einsum", 0, attr={"equation": encoded("bhwc,bHWd->bhwHW")}), "is not bhwc,bijc"),
    "attention scaled otherwise": (changed_node("Softmax", 0, op="Softplus"), "is Softplus, where Softmax"),
    "a tensor used twice": (shared_weight, "A tensor is used by two layers"),
    "other skips": (exchanged_skips, "is not that of the block opposite"),
    "attention on one way only": (without_attention, "as many blocks in each level"),
    "a node that is not there": (changed_node("Identity", input=["nothing"]), "no node 'nothing'"),
    "a circle": (changed_node("ConcatV2", 1, input=["Identity", "Identity", "Identity"]), "can't be converted"),
    "an input of no text": (changed_node("Identity", input=[3]), "can't be meant"),
    "no attributes": (changed_node("_FusedConv2D", 2, attr={"strides": None}), "can't be understood"),
    "an equation that is no text": (changed_node("Einsum", 0, attr={"equation": {"s": "\u00e9"}}), "can't be understood"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_GRAPHS)
def test_graphs_of_other_networks_are_refused(name, small, tmp_path):
    model = copy.deepcopy(small[0])
    change, words = OTHER_GRAPHS[name]
    change(model)
    refused(write_tfjs(tmp_path / "a", model, small[1]), words, ConversionError)


def changed_weight(number=0, **changes):
    return lambda model: model["weightsManifest"][0]["weights"][number].update(changes)


def changed_paths(change):
    def change_paths(model):
        model["weightsManifest"][0]["paths"] = change(model["weightsManifest"][0]["paths"])

    return change_paths


def affine(scale, smallest, dtype="uint8"):
    return {"quantization": {"dtype": dtype, "scale": scale, "min": smallest}, "dtype": "float32"}


HARMFUL = {
    "a path that leaves": (changed_paths(lambda paths: ["../secret", *paths[1:]]), "does not lie in its folder"),
    "an absolute path": (changed_paths(lambda paths: ["/etc/passwd", *paths[1:]]), "does not lie in its folder"),
    "a drive": (changed_paths(lambda paths: ["C:\\secret", *paths[1:]]), "does not lie in its folder"),
    "a path through a folder": (changed_paths(lambda paths: ["a/../../b", *paths[1:]]), "does not lie in its folder"),
    "a link": (changed_paths(lambda paths: ["link.bin", *paths[1:]]), "a link that leads out"),
    "a pipe": (changed_paths(lambda paths: ["pipe.bin", *paths[1:]]), "'pipe.bin' is missing"),
    "a shard twice": (changed_paths(lambda paths: [paths[0], *paths]), "is named twice"),
    "a shard under two names": (changed_paths(lambda paths: [f"./{paths[0]}", *paths]), "is named twice"),
    "a missing shard": (changed_paths(lambda paths: [*paths, "no.bin"]), "'no.bin' is missing"),
    "too few shards": (changed_paths(lambda paths: paths[1:]), "bytes, and its shards have"),
    "a path that is no text": (changed_paths(lambda paths: [3, *paths]), "must be text"),
    "a path of control characters": (changed_paths(lambda paths: ["a\0b", *paths]), "must be text"),
    "paths that are no list": (changed_paths(lambda paths: "group1-shard1.bin"), "is no list"),
    "a huge shape": (changed_weight(shape=[2**30, 2**30, 2**30]), "bytes, and its shards have"),
    "a longer shape": (changed_weight(shape=[2**31]), "no list of whole numbers"),
    "a negative side": (changed_weight(shape=[-1]), "no list of whole numbers"),
    "a side that is no whole number": (changed_weight(shape=[1.0]), "no list of whole numbers"),
    "a side that is true": (changed_weight(shape=[True]), "no list of whole numbers"),
    "a shape that is no list": (changed_weight(shape=4), "no list of whole numbers"),
    "many axes": (changed_weight(shape=[1] * 9), "has 9 axes"),
    "no shape": (lambda model: model["weightsManifest"][0]["weights"][0].pop("shape"), "no list of whole numbers"),
    "an unknown type": (changed_weight(dtype="string"), "is of type 'string'"),
    "a type that is no text": (changed_weight(dtype=["float32"]), "is of type"),
    "a negative scale": (changed_weight(**affine(-0.1, 0.0)), "scale of -0.1"),
    "a scale of nothing": (changed_weight(**affine(0, 0.0)), "scale of 0.0"),
    "a scale that is no number": (changed_weight(**affine("1", 0.0)), "no finite scale"),
    "a scale that is NaN": (changed_weight(**affine(float("nan"), 0.0)), "NaN is no number of JSON"),
    "an endless minimum": (changed_weight(**affine(1.0, float("-inf"))), "-Infinity is no number of JSON"),
    "a minimum that is true": (changed_weight(**affine(1.0, True)), "no finite min"),
    "no minimum": (changed_weight(**affine(1.0, None)), "no finite min"),
    "a long whole number": (changed_weight(**affine(10**400, 0)), "too large"),
    "unknown quantisation": (changed_weight(**affine(1.0, 0.0, "uint4")), "is not known; known: uint8"),
    "quantisation that is no object": (changed_weight(quantization=8), "is not known; known: uint8"),
    "quantised whole numbers": (changed_weight(dtype="int32", quantization={"dtype": "float16"}), "but is of type int32"),
    "a tensor twice": (lambda m: m["weightsManifest"][0]["weights"].append(m["weightsManifest"][0]["weights"][0]), "twice"),
    "a tensor without a name": (changed_weight(name=None), "has no name"),
    "a name without end": (changed_weight(name="a" * 10_000), "has 10000 characters"),
    "a tensor that is none": (lambda m: m["weightsManifest"][0]["weights"].append([]), "has no name"),
    "no manifest": (lambda model: model.pop("weightsManifest"), "lacks 'weightsManifest'"),
    "groups that are none": (lambda model: model.update(weightsManifest=[3]), "can't be read"),
    "layers": (lambda model: model.update(format="layers-model"), "only graph models are read"),
    "two outputs": (lambda model: model["signature"]["outputs"].update(more={"name": "x"}), "2 outputs"),
    "an output that is no text": (lambda model: model["signature"].update(outputs={"a": {"name": 3}}), "not a list of"),
    "nodes that are none": (lambda model: model.update(modelTopology={"node": {}}), "not a list of nodes"),
    "a node that is none": (lambda model: model["modelTopology"]["node"].append(3), "can't be understood"),
    "a node twice": (lambda m: m["modelTopology"]["node"].append(m["modelTopology"]["node"][0]), "a name twice"),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMFUL)
def test_harmful_models_are_refused(name, small, tmp_path):
    model = copy.deepcopy(small[0])
    folder = write_tfjs(tmp_path / "a", {}, small[1])
    (tmp_path / "secret").write_bytes(bytes(5000))
    (folder / "link.bin").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe.bin")
    HARMFUL[name][0](model)
    refused(write_tfjs(folder, model, {}), HARMFUL[name][1])


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b""])
@pytest.mark.parametrize("which", [0, -1])
def test_shards_are_exactly_as_long_as_the_tensors_need(change, which, small, tmp_path):
    folder = write_tfjs(tmp_path / "a", *small)
    path = folder / list(small[1])[which]
    path.write_bytes(change(path.read_bytes()))
    refused(folder, "bytes, and its shards have", ReadError)


def test_a_shard_that_shrinks_while_it_is_read_is_noticed(small, tmp_path):
    folder = write_tfjs(tmp_path / "a", *small)
    tensors = read_tfjs(folder).tensors
    for name in small[1]:
        (folder / name).write_bytes(b"")
    with pytest.raises(ReadError, match="shorter than it was"):
        next(iter(tensors.values())).read()


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    model, shards = model_of(SINGLE, SINGLE.init(jax.random.key(0)), "uint8")
    weights = model["weightsManifest"][0]["weights"]
    next(weight for weight in weights if len(weight["shape"]) == 4)["quantization"]["scale"] = 1e38
    refused(write_tfjs(tmp_path / "a", model, shards), "not finite as float32: conv_in.weight", ConversionError)


DOCUMENTS = {
    "deep lists": "[" * 20_000 + "]" * 20_000,
    "deep objects": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "a deep manifest": '{"weightsManifest":' + "[" * 20_000 + "]" * 20_000 + "}",
    "nothing": "",
    "no object": "[]",
    "a name twice": '{"a": 1, "a": 2}',
    "a number without end": '{"a": ' + "1" * 10_000 + "}",
    "a megabyte of lists": "[" + "[]," * 300_000 + "[]]",
    "too long": " " * (2**23 + 1),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_that_are_no_model(name, tmp_path):
    folder = write_tfjs(tmp_path / "a", DOCUMENTS[name], {})
    tracemalloc.start()
    refused(folder, "model.json can't be read", ReadError)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20 + 110 * len(DOCUMENTS[name])


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "model.json").write_bytes(b"\xff\xfe{}")
    refused(tmp_path, "model.json can't be read", ReadError)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["a.bin", "float32"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "shape", "dtype"]), inner),
    max_leaves=12,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "b"]) | JSON,
        "shape": st.lists(st.integers(-1, 5), max_size=3) | JSON,
        "dtype": st.sampled_from(["float32", "int32", "bool"]) | JSON,
        "quantization": st.fixed_dictionaries(
            {}, optional={"dtype": st.sampled_from(["uint8", "uint16", "float16"]) | JSON, "scale": JSON, "min": JSON}
        )
        | JSON,
    },
)
GROUP = st.fixed_dictionaries(
    {},
    optional={"paths": st.just(["a.bin"]) | st.lists(JSON, max_size=3), "weights": st.lists(ENTRY | JSON, max_size=3)},
)


@settings(max_examples=600, deadline=None)
@given(st.lists(GROUP | JSON, max_size=3) | JSON)
def test_random_manifests_raise_nothing_else(tmp_path_factory, manifest):
    folder = tmp_path_factory.getbasetemp() / "random_manifest"
    graph = {"signature": {"outputs": {"a": {"name": "a"}}}, "modelTopology": {"node": []}}
    write_tfjs(folder, json.dumps({**graph, "weightsManifest": manifest}), {"a.bin": bytes(8)})
    with contextlib.suppress(ReadError):
        for tensor in read_tfjs(folder).tensors.values():
            assert tensor.read().shape == tensor.shape
            assert tensor.read().size <= 8


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(['"', "0", "}", "[]", "-", "null", "A", ":0"]), st.integers(0, 40))
def test_random_damage_raises_nothing_else(single, tmp_path_factory, at, put, length):
    text = json.dumps(single[0])
    at %= len(text)
    damaged = text[:at] + put + text[at + length :]
    folder = write_tfjs(tmp_path_factory.getbasetemp() / "damaged_model", damaged, single[1])
    with contextlib.suppress(ReadError, ConversionError):
        read_keras(folder)


def test_equations_are_the_same_but_for_their_letters():
    assert same_equation("bhwc, bHWc->bhwHW", "bhwc,bijc->bhwij")
    assert not same_equation("bhwc,bijc->bhwji", "bhwc,bijc->bhwij")


def bytes_of_numbers(folder):
    """Of the arrays' chunks that a prior's checkpoint holds: Orbax writes descriptions and trees of keys beside them, of a
    size that depends on how busy the machine is."""
    base = {"driver": "ocdbt", "base": f"{(folder / 'parameters' / 'state').resolve().as_uri()}/"}
    store = tensorstore.KvStore.open(base).result()
    chunks = [key for key in store.list().result() if not key.endswith((b"zarr.json", b".zarray"))]
    return sum(len(store.read(key).result().value) for key in chunks)


@pytest.mark.parametrize("how", ["uint8", "uint16", "float16"])
def test_a_folder_keeps_weights_as_they_are_read(how, tmp_path):
    """As small as the source, and bit by bit the numbers that conversion to float32 gives."""
    parameters = NETWORKS[0].init(jax.random.key(0))
    source = write_tfjs(tmp_path / "tiny", *model_of(NETWORKS[0], parameters, how))
    convert_to(source, tmp_path / "kept", SCHEDULE, dtype="source")
    convert_to(source, tmp_path / "float32", SCHEDULE)
    card = jr.read_card(tmp_path / "kept")
    assert card["stored"] == {how: card["parameter_count"]}
    kinds = {kind for kind, _, _ in card["quantised"].values()}
    assert kinds == ({how} if how != "float16" else set())
    kept, wanted = (jr.load_prior(tmp_path / name) for name in ("kept", "float32"))
    assert kept.network == wanted.network
    for found, number in zip(jax.tree.leaves(kept.parameters), jax.tree.leaves(wanted.parameters), strict=True):
        assert found.dtype == jnp.float32
        np.testing.assert_array_equal(found, number)
    stored = [bytes_of_numbers(tmp_path / name) for name in ("kept", "float32")]
    assert 0 < stored[0] < (0.3 if how == "uint8" else 0.55) * stored[1]
    assert verify_prior(tmp_path / "kept") == len(card["sha256"])


@pytest.mark.skipif(not FACES.is_dir(), reason=f"the published model is not there: {FACES}")
@pytest.mark.slow
def test_the_published_model_stays_small(tmp_path):
    convert_to(FACES, tmp_path / "faces", dtype="source")
    size = sum(path.stat().st_size for path in (tmp_path / "faces").rglob("*") if path.is_file())
    assert size < 1.05 * sum(path.stat().st_size for path in FACES.glob("*.bin"))
    kept, wanted = jr.load_prior(tmp_path / "faces"), convert(FACES)
    jax.tree.map(np.testing.assert_array_equal, kept.parameters, wanted.parameters)
