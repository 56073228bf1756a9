"""The command line with operators of the user's own, with unknown parameters, and with a picture of the uncertainty."""

import json

import numpy as np
import pytest

from jaxrestore.files.images import read_image
from jaxrestore.operators import is_blind
from jaxrestore.operators.chains import read_operator

CHAIN = [{"operator": "blur", "size": 3, "sigmas": [0.8, 0.6]}, {"operator": "jpeg", "quality": 20}]
UNKNOWN = [{"operator": "blur", "size": 3, "kernel": "unknown"}, {"operator": "jpeg", "quality": "unknown"}]


@pytest.fixture
def chains(tmp_path):
    for name, chain in (("known", CHAIN), ("unknown", UNKNOWN)):
        (tmp_path / f"{name}.json").write_text(json.dumps(chain))
    return tmp_path


def test_a_chain_is_degraded_with_and_restored_through(command, tiny_folder, photograph, chains):
    y, out = chains / "y.png", chains / "out" / "x.png"
    assert command("degrade", photograph, y, "--operator", chains / "known.json", "--size", 16)[0] == 0
    many = ("--iterations", 2, "--restarts", 2, "--uncertainty", "--reference", chains / "y_clean.png")
    assert command("restore", y, out, "--operator", chains / "unknown.json", "--prior", tiny_folder, *many)[0] == 0
    record = json.loads((out.parent / "run.json").read_text())
    found = json.loads((out.parent / "x_operator.json").read_text())
    assert record["estimated_operator"] == found
    assert [step["operator"] for step in found] == ["blur", "jpeg"]
    assert np.shape(record["estimated_kernels"]) == (1, 3, 3)
    assert record["options"]["task"] == "operator"
    uncertainty = read_image(out.parent / "x_uncertainty.png")
    assert uncertainty.shape == (16, 16, 3)
    assert uncertainty.max() == 1
    assert record["uncertainty"]["largest"] > record["uncertainty"]["mean"] > 0
    assert -1 <= record["uncertainty"]["rank_correlation"] <= 1
    again = read_operator(out.parent / "x_operator.json", (16, 16))  # what was found can be read again
    assert not is_blind(again)


def test_deblurring_without_a_kernel_estimates_it(command, tiny_folder, photograph, tmp_path):
    y, out = tmp_path / "y.png", tmp_path / "x.png"
    assert command("degrade", photograph, y, "--task", "motion-deblur", "--size", 16)[0] == 0
    flags = ("--method", "invert2restore", "--prior", tiny_folder, "--iterations", 2, "--restarts", 2)
    assert command("restore", y, out, "--task", "motion-deblur", *flags)[0] == 0
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["options"]["task"] == "blind-motion-deblur"
    assert np.shape(json.loads((tmp_path / "x_operator.json").read_text())["kernel"]) == (3, 3)


def test_faults_get_a_sentence(command, tiny_folder, photograph, chains):
    y, out = chains / "y.png", chains / "x.png"
    assert command("degrade", photograph, y, "--task", "jpeg", "--size", 16)[0] == 0
    (chains / "bad.json").write_text('{"operator": "blurr"}')
    cases = {
        "Give --task NAME": (),
        "one of the two": ("--task", "jpeg", "--operator", chains / "known.json"),
        'with an "operator" of blur': ("--operator", chains / "bad.json"),
        "--uncertainty is the spread over restarts": ("--task", "jpeg", "--uncertainty", "--restarts", 1),
        "takes no --quality": ("--task", "denoise", "--quality", 20),
        "must lie between 1 and 99": ("--task", "jpeg", "--quality", 0),
        "--task blind has no use for --uncertainty": ("--task", "blind", "--uncertainty"),
    }
    for sentence, flags in cases.items():
        code, _, errors = command("restore", y, out, "--prior", tiny_folder, *flags)
        assert code == 2, sentence
        assert sentence in errors
        assert errors.strip().count("\n") == 0, errors
        assert not out.exists()
    code, _, errors = command("degrade", photograph, chains / "z.png", "--operator", chains / "unknown.json")
    assert code == 2
    assert "has unknown parameters" in errors
