"""`jaxrestore tune`: a prior's own settings, which every later restoration takes."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import jaxrestore as jr
from jaxrestore.diffusion.places import EMBEDDED
from jaxrestore.solve import tuning


@pytest.fixture
def prior(tiny_folder, tmp_path):
    """A folder of its own: what is tuned is written into it."""
    return shutil.copytree(tiny_folder, tmp_path / "mine")


@pytest.fixture
def clean(tmp_path):
    (tmp_path / "clean").mkdir()
    draw = np.random.default_rng(0)
    for i in range(3):
        pixels = draw.integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(pixels).resize((20, 18), Image.Resampling.BICUBIC).save(tmp_path / "clean" / f"{i}.png")
    return tmp_path / "clean"


def test_tuned_settings_lie_beside_the_prior_and_are_taken(command, prior, clean, photograph, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "WALKS", ((5, 2),))
    monkeypatch.setattr(tuning, "RATES", (1, 4))
    few = ("--count", 2, "--evaluations", 20)
    code, said, _ = command("tune", prior, clean, "--task", "denoise", *few)
    assert code == 0
    assert "2 photographs, 3 candidates of 20 evaluations" in said
    assert said.count("PSNR") == 4  # of each, and of the one that was taken
    stored = json.loads((prior / "settings.json").read_text())
    about = stored["tuned_on"]["bird on denoise"]
    assert (about["photographs"], about["task"], about["noise_level"]) == (2, "denoise", 30.0)
    assert [row["evaluations"] for row in about["candidates"]] == [20, 20, 20]
    assert about["versions"]["jaxrestore"] == jr.__version__
    chosen = stored["methods"]["bird"]["denoise"]
    best = max(row["psnr"] for row in about["candidates"])
    rows = [row for row in about["candidates"] if row["psnr"] >= best - tuning.TIE]
    wanted = min(rows, key=lambda row: row["gradient_deviation"])
    assert {name: chosen[name] for name in ("skip", "iterations", "restarts", "noise_lr", "decay")} == {
        name: wanted[name] for name in ("skip", "iterations", "restarts", "noise_lr", "decay")
    }

    method = jr.bird(jr.load_prior(prior), jr.Identity())  # from Python, and by the command line
    assert (method.iterations, method.unroll.skip) == (chosen["iterations"], chosen["skip"])
    y = tmp_path / "y.png"
    assert command("degrade", photograph, y, "--task", "denoise", "--size", 16)[0] == 0
    known = ("--noise-level", 30)
    assert command("restore", y, tmp_path / "x.png", "--task", "denoise", "--prior", prior, *known)[0] == 0
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["method"]["iterations"] == chosen["iterations"]
    assert record["method"]["unroll"]["skip"] == chosen["skip"]


def test_another_file_may_be_named(command, prior, clean, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "WALKS", ())
    out = tmp_path / "found" / "settings.json"
    told = ("--task", "inpaint", "--box", 4, "--count", 1, "--evaluations", 10)
    assert command("tune", prior, clean, *told, "--out", out)[0] == 0
    assert not (prior / "settings.json").exists()
    stored = json.loads(out.read_text())
    assert stored["methods"]["bird"]["inpaint"]["boundary"] == "reflect"
    assert stored["tuned_on"]["bird on inpaint"]["noise_level"] == 0.0


def test_a_sampler_is_tuned_by_its_own_number(command, prior, clean):
    told = ("--task", "super-resolution", "--scale", 2, "--method", "ddnm", "--count", 1, "--evaluations", 4)
    code, said, _ = command("tune", prior, clean, *told)
    assert code == 0
    assert "eta 0.2, steps 4" in said
    stored = json.loads((prior / "settings.json").read_text())
    tried = stored["tuned_on"]["ddnm on super-resolution"]["candidates"]
    assert [(row["eta"], row["steps"], row["evaluations"]) for row in tried] == [
        (eta, 4, 4) for eta in (0.85, 0.2, 0.5, 1.0)
    ]
    method = jr.ddnm(jr.load_prior(prior), jr.AveragePool(2))
    assert method.iterations == 4
    assert round(float(method.eta), 2) == stored["methods"]["ddnm"]["super-resolution"]["eta"]


def test_what_cannot_be_tuned_gets_one_sentence(command, prior, clean, tmp_path):
    chain = tmp_path / "chain.json"
    chain.write_text('[{"operator": "reduce", "factor": 2}]')
    (tmp_path / "other.json").write_text("{}")
    cases = {
        "comes with the package, and is never written into: copy its folder": ("flowers64", "--task", "denoise"),
        "has nothing to tune": (prior, "--task", "blind"),
        "--task operator with --method invert2restore has nothing to tune": (prior, "--operator", chain),
        "Give --task NAME": (prior,),
        "There is no task 'denose'": (prior, "--task", "denose"),
        "--count must lie between 1 and 10,000": (prior, "--task", "denoise", "--count", 0),
        "5 network evaluations are less than an iteration": (prior, "--task", "denoise", "--evaluations", 5),
        "The task blind is not one of --method bird": (prior, "--task", "blind", "--method", "bird"),
        "other.json holds no settings": (prior, "--task", "denoise", "--out", tmp_path / "other.json"),
        "There is no prior nobody": ("nobody", "--task", "denoise"),
    }
    before = sorted(path.name for path in EMBEDDED.rglob("*"))
    for sentence, (folder, *flags) in cases.items():
        code, _, errors = command("tune", folder, clean, *flags)
        assert code == 2, sentence
        assert sentence in errors
        assert errors.strip().count("\n") == 0, errors
    assert not (prior / "settings.json").exists()
    assert sorted(path.name for path in EMBEDDED.rglob("*")) == before
