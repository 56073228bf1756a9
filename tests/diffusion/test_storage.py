"""Priors on disk: what is written is read, and nothing damaged or foreign is."""

import dataclasses
import json
import shutil
import time

import jax
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.diffusion.places import EMBEDDED, embedded_priors, prior_folder


@pytest.fixture(scope="module")
def stored(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("priors") / "tiny"
    jr.save_prior(tiny, folder, licence="CC0", source={"file": "tiny.pt"})
    return folder


@pytest.fixture
def folder(stored, tmp_path):
    return shutil.copytree(stored, tmp_path / "copy")


def test_a_saved_prior_is_loaded(tiny, stored):
    loaded = jr.load_prior(stored)
    assert jax.tree.structure(loaded) == jax.tree.structure(tiny)
    for found, wanted in zip(jax.tree.leaves(loaded), jax.tree.leaves(tiny), strict=True):
        np.testing.assert_array_equal(found, wanted)
    card = jr.read_card(stored)
    assert (card["licence"], card["source"]["file"], card["range"]) == ("CC0", "tiny.pt", [-1, 1])
    assert not [path for path in stored.parent.iterdir() if path != stored]
    assert str(stored.parent) not in "".join(p.read_text(errors="ignore") for p in stored.rglob("*") if p.is_file())


def test_compute_type_and_precision_are_chosen_when_loading(stored):
    network = jr.load_prior(stored, dtype="bfloat16", precision="highest").network
    assert (network.dtype, network.precision) == ("bfloat16", "highest")


def test_the_embedded_prior_is_small_and_says_where_it_is_from():
    assert "flowers64" in embedded_priors()
    files = [path for path in (EMBEDDED / "flowers64").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 20e6
    card = jr.read_card("flowers64")
    assert card["shape"] == [64, 64, 3]
    assert card["prediction"] == "v"
    assert len(card["source"]["sha256"]) == 64
    attribution = (prior_folder("flowers64") / card["attribution"]).read_text().splitlines()
    assert len(attribution) == 3101
    assert all("CC BY 2.0" in line for line in attribution[1:])


def edit(folder, **changes):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, **changes}))


def largest(folder):
    return max(
        (path for path in (folder / "parameters").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )


def test_verifying_finds_what_loading_would_not(folder, capsys):
    from jaxrestore.cli.commands import main
    from jaxrestore.diffusion.storage import verify_prior

    for name in ("flowers64", folder):
        assert verify_prior(name) == len(jr.read_card(name)["sha256"])
    with pytest.raises(SystemExit, match="0"):
        main(["priors", "verify", str(folder)])
    assert "files are as the card says" in capsys.readouterr().out
    victim = largest(folder)
    data = victim.read_bytes()
    victim.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(jr.PriorError, match=f"{victim.name} is damaged: it is not the file"):
        verify_prior(folder)
    victim.write_bytes(data)
    (folder / "parameters" / "extra").write_text("x")
    with pytest.raises(jr.PriorError, match="extra does not belong"):
        verify_prior(folder)
    (folder / "parameters" / "extra").unlink()
    (folder / "notes.txt").write_text("of its owner")
    assert verify_prior(folder) == len(jr.read_card(folder)["sha256"])
    victim.unlink()
    with pytest.raises(jr.PriorError, match=f"{victim.name} is missing"):
        verify_prior(folder)
    edit(folder, sha256={})
    with pytest.raises(SystemExit, match="2"):
        main(["priors", "verify", str(folder)])
    assert "no checksums to verify" in capsys.readouterr().err


def test_what_lies_beside_the_parameters_has_checksums_too(folder, tmp_path):
    """Statistics and settings, when a prior is saved with them, and when they are measured afterwards."""
    from jaxrestore.diffusion.statistics import write_statistics
    from jaxrestore.diffusion.storage import verify_prior
    from jaxrestore.diffusion.tuned import write_tuned

    parameters = verify_prior(folder)
    flowers64 = jr.load_prior("flowers64")
    write_statistics(flowers64.statistics, folder, photographs=4)
    write_tuned(flowers64.settings, folder, {})
    assert verify_prior(folder) == parameters + 2
    known = dataclasses.replace(jr.load_prior(folder), statistics=flowers64.statistics)
    jr.save_prior(known, tmp_path / "again")
    assert verify_prior(tmp_path / "again") == len(jr.read_card(tmp_path / "again")["sha256"])
    assert {"typical.json", "settings.json"} < jr.read_card(tmp_path / "again")["sha256"].keys()
    for name in ("typical.json", "settings.json"):
        before = (folder / name).read_text()
        (folder / name).write_text(before.replace("0", "1", 1))
        with pytest.raises(jr.PriorError, match=f"{name} is damaged: it is not the file of which"):
            verify_prior(folder)
        (folder / name).write_text(before)
        card = json.loads((folder / "card.json").read_text())
        unnamed = {file: digest for file, digest in card["sha256"].items() if file != name}
        edit(folder, sha256=unnamed)
        with pytest.raises(jr.PriorError, match=f"{name} does not belong to the prior: the card has no checksum"):
            verify_prior(folder)
        edit(folder, sha256=card["sha256"])
    assert {"typical.json", "settings.json", "ATTRIBUTION.tsv"} < jr.read_card("flowers64")["sha256"].keys()


def test_a_derived_prior_has_checksums_of_what_it_took_along(tiny, folder, tmp_path):
    from jaxrestore.diffusion.derived import save_derived
    from jaxrestore.diffusion.statistics import write_statistics
    from jaxrestore.diffusion.storage import verify_prior

    write_statistics(jr.load_prior("flowers64").statistics, folder)
    (folder / "AUTHORS.txt").write_text("somebody")
    edit(folder, attribution="AUTHORS.txt")
    save_derived(tiny, tmp_path / "derived", folder, steps=1)
    card = jr.read_card(tmp_path / "derived")
    assert verify_prior(tmp_path / "derived") == len(card["sha256"])
    assert {"typical.json", "AUTHORS.txt"} < card["sha256"].keys()
    assert card["finetuned"] == {"steps": 1, "base": {"name": "tiny"}}


def test_folders_of_earlier_versions_load(tiny, folder):
    """Whose cards said less, and had checksums of the parameters alone."""
    card = json.loads((folder / "card.json").read_text())
    for name in ("stored", "quantised", "range", "parameter_count"):
        del card[name]
    for name in ("remat", "dropout", "norm_eps", "head_channels", "time_embedding", "downsample_padding"):
        del card["arguments"][name]
    (folder / "card.json").write_text(json.dumps(card))
    loaded = jr.load_prior(folder)
    assert loaded.network == tiny.network
    jax.tree.map(np.testing.assert_array_equal, loaded.parameters, tiny.parameters)


def test_a_truncated_or_missing_file_is_named(folder):
    victim = largest(folder)
    victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(jr.PriorError, match=f"{victim.name} is damaged: .* bytes, where the card says"):
        jr.load_prior(folder)
    victim.unlink()
    with pytest.raises(jr.PriorError, match=f"{victim.name} is missing"):
        jr.load_prior(folder)


@pytest.mark.parametrize("name", ["manifest", "numbers"])
def test_a_damaged_file_is_an_error_and_nothing_else(folder, name, capfd):
    """Orbax's other reads don't complain of a loop that the first failure has closed."""
    victim = folder / "parameters" / "state" / "manifest.ocdbt" if name == "manifest" else largest(folder)
    victim.write_bytes(bytes(victim.stat().st_size))
    with pytest.raises(jr.PriorError, match="parameters can't be read"):
        jr.load_prior(folder)
    time.sleep(0.1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore")
def test_parameters_that_do_not_fit_the_card_are_refused(folder):
    arguments = json.loads((folder / "card.json").read_text())["arguments"]
    edit(folder, arguments={**arguments, "ch": 16})
    with pytest.raises(jr.PriorError, match="but the card's network needs"):
        jr.load_prior(folder)
    edit(folder, arguments={**arguments, "attn_resolutions": []})
    with pytest.raises(jr.PriorError, match="parameters can't be read"):
        jr.load_prior(folder)
    edit(folder, arguments={**arguments, "depth": 3})
    with pytest.raises(jr.PriorError, match="`arguments` has 'depth', no argument that the architecture takes"):
        jr.load_prior(folder)


@pytest.mark.parametrize(
    "changes",
    [{"prediction": "score"}, {"alpha_bar": [0.1, 0.9]}, {"shape": [16, 16]}, {"shape": [8, 8, 3]}, {"files": []}],
)
def test_damaged_cards_are_named(folder, changes):
    edit(folder, **changes)
    with pytest.raises(jr.PriorError, match=r"card\.json is damaged"):
        jr.load_prior(folder)


def test_foreign_folders_are_refused(folder, tmp_path):
    with pytest.raises(jr.PriorError, match="neither a folder nor an embedded prior"):
        jr.load_prior("faces1024")
    with pytest.raises(jr.PriorError, match=r"card\.json can't be read"):
        jr.load_prior(tmp_path)
    edit(folder, architecture="transformer")
    with pytest.raises(jr.PriorError, match="'transformer'; this version knows: ddpm"):
        jr.load_prior(folder)
    edit(folder, format="another")
    with pytest.raises(jr.PriorError, match="not the card of a prior"):
        jr.load_prior(folder)
    (folder / "card.json").write_text('{"format": "jaxrestore prior 1"}')
    with pytest.raises(jr.PriorError, match="incomplete: it lacks alpha_bar"):
        jr.load_prior(folder)
    (folder / "card.json").write_text("{")
    with pytest.raises(jr.PriorError, match="not JSON"):
        jr.load_prior(folder)


def test_what_cannot_be_stored_is_refused(gaussian, tiny, folder):
    with pytest.raises(ValueError, match="a network of your own"):
        jr.save_prior(gaussian, folder / "new")
    with pytest.raises(jr.PriorError, match="never written over"):
        jr.save_prior(tiny, folder)
    for about, words in (
        ({"measured": float("nan")}, "can't be written as JSON"),
        ({"files": {}}, "files of the prior itself"),
    ):
        with pytest.raises(jr.InputError, match=words):
            jr.save_prior(tiny, folder / "new", **about)
    large = dataclasses.replace(tiny, network=dataclasses.replace(tiny.network, num_res_blocks=50))
    with pytest.raises(jr.PriorError, match="2 levels of 50 blocks, where 1 to 12 levels and 64 blocks"):
        jr.save_prior(large, folder / "new")
    assert not (folder / "new").exists()
