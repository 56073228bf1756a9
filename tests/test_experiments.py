import importlib
import json
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore.diffusion.tuned import read_tuned

SCRIPTS = Path(__file__).parent.parent / "experiments"
MODULES = sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem != "speed_torch")  # which needs PyTorch


@pytest.fixture
def experiment(monkeypatch):
    """An experiment's module by its name."""
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module


def test_every_experiment_is_a_module_that_says_its_command(experiment):
    for name in MODULES:
        module = experiment(name)
        if hasattr(module, "main") and name != "speed_contestant":
            assert f"    python experiments/{name}.py" in module.__doc__


def test_a_report_takes_the_rows_of_its_plan_alone(experiment, tmp_path):
    workers = experiment("workers")
    plan = [{"name": name, "settings": {"rates": (0.1, 0.2)}} for name in "ab"]
    stray = {"name": "a", "settings": {"rates": (0.3, 0.2)}}  # of another setting than is planned
    for row in ({**plan[0], "psnr": 1.0}, {**stray, "psnr": 2.0}):
        workers.append(tmp_path / "results-0.jsonl", row)
    assert workers.unmeasured(plan, tmp_path) == plan[1:]
    with pytest.raises(ValueError, match="1 of 2 results are missing"):
        workers.complete(plan, tmp_path)
    workers.append(tmp_path / "results-1.jsonl", {**plan[1], "psnr": 3.0})
    (tmp_path / "results-2.jsonl").write_text('{"name": "a", "sett')  # cut by a kill
    assert [row["psnr"] for row in workers.complete(plan, tmp_path)] == [1.0, 3.0]


def test_the_planned_variants_have_settings_and_a_budget_of_photographs(experiment):
    tables, tune = experiment("tasks_table"), experiment("tune")
    for variants in (tables.planned(130_000), tune.planned()):
        assert len({variant.key for variant in variants}) == len(variants) > 40
        assert all(variant.evaluations() > 0 and variant.photographs >= 1 for variant in variants)
        json.dumps([entry for variant in variants for entry in variant.entries(["photograph"])])


@pytest.mark.slow
def test_each_task_is_posed_and_shown(experiment, tmp_path):
    flowers, tables = experiment("flowers"), experiment("tasks_table")
    image = np.random.default_rng(0).uniform(-1, 1, (flowers.SIZE, flowers.SIZE, 3)).astype(np.float32)
    for variant in {(variant.task, variant.noise): variant for variant in tables.planned(0)}.values():
        problem = flowers.problem(variant.task, variant.noise, "name", image, tmp_path)
        started = flowers.start(problem, variant.settings())
        assert flowers.shown(problem).shape == image.shape
        assert variant.settings().identity or started(jnp.asarray(image)).shape == problem.y.shape


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


def test_faces_are_ruined_the_same_way_for_every_method(experiment):
    problems = experiment("faces_problems")
    face = np.random.default_rng(0).uniform(-1, 1, (64, 64, 3)).astype(np.float32)
    for name in problems.PROBLEMS:
        one, again = problems.problem(name, face, 7), problems.problem(name, face, 7)
        np.testing.assert_array_equal(one.y, again.y)
        assert one.start(jnp.asarray(face)).shape == one.y.shape
        assert problems.shown(one).shape == face.shape
    assert problems.problem("box", face, 0).y.tolist() != problems.problem("box", face, 1).y.tolist()


def test_settings_that_are_compared_have_names_of_their_own(experiment):
    candidates, settings = experiment("faces_candidates"), experiment("faces64_settings")
    for method, kinds in settings.METHODS.items():
        for kind in ("denoise", "inpaint", "super-resolution", "blind-deblur", "jpeg"):
            tried = candidates.candidates(method, kind)
            chosen = kinds.get(kind, kinds["any"])
            assert tried[candidates.described(chosen)] == chosen, (method, kind)


def test_the_settings_of_faces64_are_those_that_its_conversion_takes_along(experiment):
    settings = experiment("faces64_settings")
    assert read_tuned(settings.FOLDER) == settings.table()


def test_the_document_on_faces_is_that_of_its_rows(experiment):
    report = experiment("faces_report")
    text = (SCRIPTS.parent / "docs" / "faces.md").read_text()
    for name, lines in (("faces", report.restored), ("faces_tuning", report.tried)):
        made = "\n".join(lines(report.kept(name, [], write=False)))
        assert made.count("|") > 50
        assert made in text
