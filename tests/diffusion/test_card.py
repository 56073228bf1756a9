"""Cards: whatever they hold, they load or are refused in a sentence that names card and field, at once."""

import dataclasses
import json
import shutil
import time
import tracemalloc

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxrestore as jr
from jaxrestore.diffusion import storage
from jaxrestore.diffusion.latents import latent_space
from jaxrestore.diffusion.places import EMBEDDED
from jaxrestore.diffusion.storage import verify_prior
from jaxrestore.networks import DDPMUNet, VQModel

DEEP = "[" * 20_000 + "]" * 20_000


def zeros(network):
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), network.shapes())


@pytest.fixture(scope="module")
def folders(tiny, tmp_path_factory):
    """Of a prior of images and one of latents, with their cards."""
    base = tmp_path_factory.mktemp("cards")
    jr.save_prior(dataclasses.replace(tiny, schedule=jr.schedule.linear(20)), base / "tiny")
    unet = DDPMUNet(image_size=8, ch=8, ch_mult=(1,), num_res_blocks=1, attn_resolutions=(), groups=4)
    autoencoder = VQModel(block_out_channels=(8, 8), groups=4, mid_attention=False, num_vq_embeddings=16)
    space = latent_space(autoencoder, zeros(autoencoder), 16, 16)
    latent = jr.Prior(unet, zeros(unet), jr.schedule.linear(20), (16, 16, 3), name="x", latent=space)
    jr.save_prior(latent, base / "latent")
    return {name: (base / name, json.loads((base / name / "card.json").read_text())) for name in ("tiny", "latent")}


@pytest.fixture
def folder(folders, tmp_path):
    return shutil.copytree(folders["tiny"][0], tmp_path / "copy")


def write(folder, text):
    (folder / "card.json").write_text(text if isinstance(text, str) else json.dumps(text))


def refused(folder, *words):
    began = time.monotonic()
    with pytest.raises(jr.PriorError) as error:
        verify_prior(folder)
    assert time.monotonic() - began < 10
    said = str(error.value)
    assert said.count("\n") == 0
    assert len(said) < 700
    for word in (str(folder / "card.json"), *words):
        assert word in said, said


ARGUMENTS = {
    "patch_size": [0, -1, 1.0, True, None, "1", 3, 10**30],
    "dtype": ["int8", "float16", None, 3, ["float32"]],
    "precision": ["nope", "", 3, {}],
    "num_res_blocks": [0, 10**7, 10**400, 50],
    "ch": [0, 2**40, 7.5],
    "ch_mult": [[], [0], [1e300], [1] * 1000, "12", [float(2**20)]],
    "groups": [0, 3, 10**9],
    "image_size": [17, 0, 2**20],
    "channels": [0, 10**6],
    "out_channels": [5],
    "attn_resolutions": [[-1], 4, [[4]]],
    "dropout": [1.0, -0.1, "0"],
    "norm_eps": [0, -1e-6, 1e9],
    "head_channels": [0, 3, "8"],
    "time_embedding": ["cosine", 3],
    "remat": [1, "yes"],
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_make_no_network(name, folders, folder):
    card = folders["tiny"][1]
    for value in ARGUMENTS[name]:
        write(folder, {**card, "arguments": {**card["arguments"], name: value}})
        refused(folder)
    write(folder, {**card, "arguments": {**card["arguments"], name: DEEP[:2000]}})
    refused(folder, f"`{name}` in `arguments` must be ")


FIELDS = {
    "alpha_bar": [[10**400], [0.5, "0.4"], [], [1.0], [0.5, 0.6], 0.5, [True], [[0.5]], [0.5] * 200_000],
    "shape": [[16, 16], [16, 16, 0], [16.0, 16, 3], "16", [16, 16, 10**30], [32, 32, 3]],
    "prediction": ["score", None, ["v"], 3],
    "name": ["", 3, None, "x" * 2000],
    "architecture": [3, None, ["ddpm"]],
    "arguments": [[], None, "x"],
    "files": [[], {"a": -1}, {"a": "1"}, {"../x": 1}, {"/etc/passwd": 1}, {"a\\b": 1}, {"": 0}, {"parameters/x": 1.5}],
    "sha256": [[], {"a": "1"}, {"../x": "0" * 64}, {"parameters/x": 3}],
    "quantised": [[], {"a": ["uint8", 0.1, 0.0]}, {"a": ["int8", 1.0, 0.0]}, {"a": ["uint8", 0, 0]}, {"a": ["uint8", 1.0]}],
    "stored": [3, {"float32": "many"}],
    "range": [[0, 1], "x"],
    "parameter_count": [-1, "1", 1.5],
    "finetuned": ["yes", []],
    "autoencoder": [None, {}, {"architecture": "vq_model"}, {"architecture": "vq_model", "arguments": []}],
}  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_fields_that_cannot_be_meant(field, folders, folder):
    card = folders["tiny"][1]
    for value in FIELDS[field]:
        write(folder, {**card, field: value})
        refused(folder, field)


def test_autoencoders_that_make_no_network(folders, tmp_path):
    folder, card = shutil.copytree(folders["latent"][0], tmp_path / "copy"), folders["latent"][1]
    verify_prior(folder)
    for name, value in (("groups", 0), ("layers_per_block", 10**7), ("dtype", "int8"), ("scaling_factor", 10**400)):
        arguments = {**card["autoencoder"]["arguments"], name: value}
        write(folder, {**card, "autoencoder": {**card["autoencoder"], "arguments": arguments}})
        refused(folder, f"`{name}` in `autoencoder` must be ")
    for name, value in (("scaling_factor", 0), ("scaling_factor", [1.0]), ("block_out_channels", [8] * 13)):
        arguments = {**card["autoencoder"]["arguments"], name: value}
        write(folder, {**card, "autoencoder": {**card["autoencoder"], "arguments": arguments}})
        refused(folder, "`autoencoder` makes no network")


DOCUMENTS = {
    "deep lists": DEEP,
    "deep objects": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "a number without end": '{"format": ' + "1" * 10_000 + "}",
    "too long": " " * (2**24 + 1),
    "no number": '{"format": NaN}',
    "nothing": "",
    "a list": "[]",
    "no text": b"\xff\xfe{}",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_that_are_no_card(name, folder):
    text = DOCUMENTS[name]
    (folder / "card.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(folder)


def test_a_deep_field_is_named(folders, folder):
    write(folder, json.dumps({**folders["tiny"][1], "data": None})[:-1] + ', "more": ' + "[" * 100 + "]" * 100 + "}")
    refused(folder, "`more` has lists or objects too deep")


def test_what_a_person_asks_for_is_checked_too(folders):
    with pytest.raises(jr.InputError, match="dtype must be one of float32, bfloat16, not 'int8'"):
        jr.load_prior(folders["tiny"][0], dtype="int8")
    with pytest.raises(jr.InputError, match="precision must be one of"):
        jr.load_prior(folders["tiny"][0], precision="nope")


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 10**9}, {"steps": 10**400}, {"refinements": -1}, {"steps": None}, {"depths": [10**400]}, {"depths": []},
        {"depths": [50, 25, 100, 200]}, {"depths": [25, 50, 100, 2000]}, {"energy": 3}, {"spread": {}},
        {"level": [[[10**400]]]},
    ],
    ids=str,
)  # fmt: skip
def test_statistics_that_cannot_be_meant(changes, tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "copy")
    stored = json.loads((EMBEDDED / "flowers64" / "typical.json").read_text())
    (folder / "typical.json").write_text(json.dumps(stored))
    assert jr.load_prior(folder).statistics is not None
    (folder / "typical.json").write_text(json.dumps({**stored, **changes}))
    with pytest.raises(jr.PriorError, match=r"typical\.json is (damaged|of another prior)"):
        jr.load_prior(folder)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([0, -1, 10**30, 10**400])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


MUTATIONS = st.tuples(  # which card, the way to a place in it, and what is put there: any value, or nothing
    st.sampled_from(["tiny", "latent"]), st.lists(st.integers(0, 10**6), min_size=1, max_size=4), JSON | st.just(...)
)


def mutated(card, way, value):
    """A copy of the card with the value at the place that the numbers lead to."""
    card = json.loads(json.dumps(card))
    here = card
    for i, step in enumerate(way):
        name = (list(here) if isinstance(here, dict) else range(len(here)))[step % len(here)]
        if i + 1 < len(way) and isinstance(here[name], dict | list) and here[name]:
            here = here[name]
            continue
        if value is ...:
            del here[name]
        else:
            here[name] = value
        return card
    raise AssertionError("unreachable")


def assert_loaded_or_refused(load, folder, card):
    """In seconds, and without much memory."""
    write(folder, card)
    tracemalloc.start()
    began = time.monotonic()
    try:
        load(folder)
    except jr.PriorError as error:
        said = str(error)
    else:
        said = str(folder)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.monotonic() - began < 10
    assert peak < 2**26
    assert str(folder) in said
    assert len(said) < 1000


def networks_of(folder):
    """What loading makes of a card before it reads any array."""
    card = jr.read_card(folder)
    return storage._autoencoder(card, folder / "card.json", storage._network(card, folder / "card.json"))


@settings(max_examples=150, deadline=None)
@given(MUTATIONS)
def test_any_card_makes_networks_or_is_refused(folders, mutation):
    name, way, value = mutation
    folder, card = folders[name]
    assert_loaded_or_refused(networks_of, folder, mutated(card, way, value))
    write(folder, card)


@settings(max_examples=10, deadline=None)
@given(MUTATIONS)
def test_any_card_is_loaded_or_refused(folders, mutation):
    name, way, value = mutation
    folder, card = folders[name]
    assert_loaded_or_refused(jr.load_prior, folder, mutated(card, way, value))
    write(folder, card)
