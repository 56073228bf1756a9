"""The measurement of speed: what a race is made of, and what its report says of rows."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "experiments"


@pytest.fixture
def experiment(monkeypatch):
    """An experiment's module by its name."""
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module


@pytest.mark.slow
def test_speed_measures_a_tiny_network_and_goes_on_where_it_was(tmp_path):
    command = [sys.executable, SCRIPTS / "speed.py", "--small", "--rounds", "2"]
    command += ["--out", tmp_path / "out", "--docs", tmp_path]
    subprocess.run(command, check=True, capture_output=True)
    rows = [json.loads(line) for line in (tmp_path / "out" / "speed.jsonl").read_text().splitlines()]
    by_name = {row["name"]: row for row in rows if row["race"] == "tiny"}
    frozen, full = by_name["jax frozen, 2 steps"], by_name["jax full, 2 steps"]
    assert len(frozen["seconds"]) == 2
    assert full["operations"] == pytest.approx(3 * frozen["operations"], rel=0.1)
    assert frozen["residual"] == pytest.approx(full["residual"], rel=1e-4)
    table = (tmp_path / "experiments" / "results" / "speed.md").read_text()
    assert "| jax full, 2 steps |" in table
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert again.stdout == ""  # nothing is measured twice
    assert (tmp_path / "experiments" / "results" / "speed.md").read_text() == table


def test_contestants_of_a_race_have_names_of_their_own(experiment):
    plan, rows = experiment("speed_races"), experiment("speed_report")
    for accelerator in (False, True):
        found = plan.races(accelerator, torch=True, small=False)
        for contestants in found.values():
            described = [{"name": one.name, "contestant": vars(one)} for one in contestants]
            race = rows.Race(described)
            assert len(race.rows) == len(contestants)
            assert {one.framework for one in contestants} <= {"jax", "eager", "compile"}
        assert all(one.framework == "jax" for some in plan.races(accelerator, False, False).values() for one in some)


def peak_rows(experiment, backend, seconds):
    works = {"matmul": 8e12, "convolution": 2e12}
    return [
        {
            "name": f"jax {what}",
            "contestant": {"what": what, "dtype": "float32", "network": "flowers64"},
            "machine": {"backend": backend},
            "operations": work,
            "seconds": [2 * seconds[what], seconds[what]],
        }
        for what, work in works.items()
    ]


def test_the_peak_of_an_accelerator_is_without_what_every_call_costs(experiment):
    race = experiment("speed_report").Race
    there = {"matmul": 0.0105, "convolution": 0.003}  # half a millisecond beside 800 TFLOP/s
    assert race(peak_rows(experiment, "gpu", there)).peak("float32") == pytest.approx(8e14)
    assert race(peak_rows(experiment, "cpu", {"matmul": 0.01, "convolution": 0.01})).peak("float32") == 8e14
    assert race(peak_rows(experiment, "gpu", there)).peak("bfloat16") is None


def test_kinds_of_operations_are_told_by_their_names(experiment):
    kind = experiment("speed_profile").kind
    assert kind("copy_reverse_fusion.15") == "moved"
    assert kind("cudnn-conv-bias-activation.483") == kind("conv_general_dilated.3") == "convolutions"
    assert kind("dot.206") == kind("nvjet_tst_128x64") == "products"
    assert kind("bitcast_reduce_fusion.2") == "sums"
    assert kind("divide_multiply_fusion") == "elementwise"


def test_a_profile_has_all_kinds_and_the_dearest_first(experiment):
    profile, contestant = experiment("speed_profile"), experiment("speed_programs").Contestant
    row = profile.profiled(contestant(network="tiny", skip=500))
    assert set(row["seconds"]) == {*profile.KINDS, "elementwise"}
    assert sum(row["seconds"].values()) > 0
    spent = [seconds for _, seconds in row["dearest"]]
    assert spent == sorted(spent, reverse=True)


def test_a_row_takes_the_place_of_its_devices_own(experiment, tmp_path, monkeypatch):
    kept = experiment("kept_rows")
    monkeypatch.setattr(kept, "RESULTS", tmp_path)
    row = {"machine": {"device": "a"}, "contestant": {"what": "full"}, "seconds": 1}
    other = row | {"machine": {"device": "b"}}
    for one in (row, other, row | {"seconds": 2}):
        kept.replaced("some", one, ("contestant",))
    assert kept.read("some") == [other, row | {"seconds": 2}]


def test_what_users_wait_for_is_judged_by_the_median_of_its_runs(experiment, tmp_path, monkeypatch):
    kept, waits = experiment("kept_rows"), experiment("speed_waits")
    monkeypatch.setattr(kept, "RESULTS", tmp_path)
    here = {"machine": {"device": "a CPU"}}
    kept.keep("speed_start", [here | {"what": "restore", "first_s": 13.0, "seconds": [4.0, 9.0, 5.0]}])
    lines = waits.waits()
    assert lines[3].endswith("the first run, s | at most 12 | 13.0 | missed |")
    assert lines[4].endswith("a later run, s | at most 5 | 4.0 / 5.0 / 9.0 | met |")
    assert [line[2:] for line in waits.brief(["a GPU", "a CPU"])] == [["", "13.0 (missed)"], ["", "5.0 (met)"]]


def test_a_row_of_the_tests_is_of_tests_that_passed(experiment):
    tests = experiment("speed_start").of_tests
    said = "....\n2505 passed, 3 skipped, 1 warning in 351.29s (0:05:51)\n21 passed, 2 skipped in 285.00s\n"
    assert tests(said) == {"what": "tests", "first_s": 351.29, "seconds": []}
    for other in ("1 failed, 2504 passed in 351.29s", "no tests ran in 0.1s"):
        with pytest.raises(SystemExit):
            tests(other)


def test_cheaper_settings_are_as_good_where_they_lose_next_to_nothing(experiment):
    quicker = experiment("quicker")
    shipped = {"task": "denoise", "label": "BIRD, in full", "settings": {}, "evaluations": 600, "gmsd": [0.1] * 4}
    shipped["psnr"] = [20.0, 21.0, 22.0, 23.0]
    half = shipped | {"label": "BIRD, half", "evaluations": 300, "psnr": [20.1, 20.95, 22.0, 23.0]}
    stopped = shipped | {"label": "BIRD, stops", "spent": [90, 110], "psnr": [19.0, 20.0, 21.0, 22.0]}
    lines = quicker.report([shipped, half, stopped])
    assert [line.split(" | ")[1:3] for line in lines[3:]] == [["stops", "100"], ["half", "300"], ["in full", "600"]]
    assert [line.endswith("as good |") for line in lines[3:]] == [False, True, False]
    warm = quicker.warm(quicker.changed("denoise", "in full"), 2)
    row = {"settings": warm.entries(["a"])[0]["settings"], "evaluations": warm.evaluations()}
    assert quicker.cost(row) == 300 + quicker.before(row) > 350
