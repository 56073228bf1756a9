"""What a run says before it has done anything, and of whom it says that the prior doesn't know it."""

import pytest

import jaxrestore as jr
from jaxrestore.cli.announce import Announcer, work
from jaxrestore.cli.batches import in_batches
from jaxrestore.cli.paths import entries_of
from jaxrestore.cli.plan import RestorationFlags, restoration_plan


@pytest.fixture
def announcer(tiny_folder, tmp_path):
    """Of five images in batches of two."""
    (tmp_path / "in").mkdir()
    for number in range(5):
        (tmp_path / "in" / f"{number}.png").write_bytes(bytes([number]))

    def made(**flags):
        flags = {"task": "denoise", **flags}
        announcer = Announcer(restoration_plan(RestorationFlags(prior=tiny_folder, **flags)))
        announcer.batches = in_batches(entries_of(tmp_path / "in", tmp_path / "out"), 2)
        return announcer

    return made


def test_what_is_done_is_said_once(announcer, capsys, tiny):
    announcer, method = announcer(), jr.bird(tiny, jr.Identity(), iterations=30, skip=500)
    announcer.begins(method)
    announcer.begins(method)
    said = capsys.readouterr().err
    assert said.endswith(": 5 images, 30 iterations, 60 network evaluations an image\n")
    assert said.count("\n") == 1


def test_what_a_method_of_ones_own_costs_nobody_knows(tiny):
    options = {"task": "denoise", "method": "mine", "prior": "tiny"}
    assert work(options, 1, jr.Method(prior=tiny, operator=jr.Identity())) == (
        "denoise by mine with tiny: 1 image, 100 iterations"
    )


def test_the_rest_is_estimated_once_over_all_batches(announcer, capsys):
    one = announcer()
    one.lasts(one.batches[0], 40.0)
    one.lasts(one.batches[1], 500.0)
    assert capsys.readouterr().err == "jaxrestore: about 2 min from now\n"
    quick = announcer()
    quick.lasted(quick.batches[0], 90.0)  # has compiled
    assert capsys.readouterr().err == ""
    quick.lasted(quick.batches[1], 15.0)
    assert capsys.readouterr().err == "jaxrestore: about 15 s from now\n"
    short = announcer()
    short.lasts(short.batches[-1], 3.0)
    silent = announcer(quiet=True)
    silent.lasts(silent.batches[0], 40.0)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({}, True),
        ({"task": "inpaint"}, True),
        ({"task": "inpaint", "noise_level": 10.0}, False),
        ({"task": "inpaint", "keep_known": False}, False),
        ({"task": "super-resolution"}, False),
        ({"quiet": True}, False),
    ],
)
def test_an_image_of_another_kind_is_named_where_the_score_tells(announcer, capsys, tmp_path, flags, told):
    announcer = announcer(**flags)
    announcer.written(tmp_path / "street.png", {"novelty": {"of": "measurement", "score": 3.7, "limit": 2.6}})
    said = capsys.readouterr().err
    assert ("street.png is unlike the photographs that " in said) == told
    announcer.written(tmp_path / "flower.png", {"novelty": {"of": "measurement", "score": 2.5, "limit": 2.6}})
    announcer.written(tmp_path / "loud.png", {"novelty": {"of": "measurement", "score": 3.7, "limit": None}})
    announcer.written(tmp_path / "any.png", {})  # of a prior without statistics
    assert capsys.readouterr().err == ""
