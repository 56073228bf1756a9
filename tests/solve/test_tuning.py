"""Candidates of equal cost, how they are compared, and the file that keeps the best."""

import json
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.diffusion.tuned import read_tuned
from jaxrestore.errors import InputError
from jaxrestore.files.images import as_stored
from jaxrestore.methods.settings import values_of
from jaxrestore.solve import tuning
from jaxrestore.solve.tuning import (
    Example,
    Scored,
    candidates,
    chosen,
    compare,
    evaluations,
    keep_settings,
    stored_settings,
)

START = jr.published("bird", "denoise")


@pytest.mark.parametrize("start", [START, jr.published("shred"), jr.published("invert2restore"), jr.published("diip")])
@pytest.mark.parametrize("length", [1000, 50])
def test_candidates_cost_the_same_and_differ_in_few_things(start, length):
    start = replace(start, skip=length // 10)
    tried = candidates(start, length, 600)
    assert tried[0] == replace(start, iterations=600 // (evaluations(start, length) // start.iterations))
    assert all(one not in tried[:i] for i, one in enumerate(tried))
    costs = [evaluations(one, length) for one in tried]
    assert min(costs) > 500
    assert max(costs) <= 600
    same = {"skip", "iterations", "restarts", "combine", "noise_lr", "decay"}
    fixed = {name: value for name, value in vars(start).items() if name not in same}
    for one in tried:
        assert {name: value for name, value in vars(one).items() if name in fixed} == fixed
        assert one.restarts == 1 or one.combine == "mean"
    assert {round(one.noise_lr / start.noise_lr) for one in tried} == {1, 4, 16}
    assert {one.decay for one in tried if one.noise_lr > start.noise_lr} == {"cosine"}


WALKING = ["dps", "pigdm", "ddnm", "ddrm", "diffpir", "repaint", "daps", "pnp-flow", "flowdps", "dreamclean"]
WALKING += ["blind-diffpir", "fast-em", "blind-dps", "gdp"]


@pytest.mark.parametrize("name", WALKING)
def test_of_a_walk_its_own_number_is_tried(name):
    start = jr.published(name)
    tried = candidates(start, 1000, 120)
    (number,) = {key for one in tried for key, value in vars(one).items() if value != getattr(start, key)} - {"steps"}
    assert len({getattr(one, number) for one in tried}) == len(tried) == 4
    assert {evaluations(one, 1000) for one in tried} == {120}
    assert all(one.steps * one.evaluations_a_step == 120 for one in tried)
    with pytest.raises(InputError, match="1 network evaluations are less than two steps"):
        candidates(start, 1000, 1)


def test_a_budget_is_at_least_an_iteration():
    assert len(candidates(START, 1000)) == len(candidates(START, 1000, evaluations(START, 1000)))
    with pytest.raises(InputError, match="9 network evaluations are less than an iteration"):
        candidates(START, 1000, 9)


def test_the_better_settings_win(gaussian):
    """On the closed-form prior: a rate that is far too small finds nothing."""
    clean = jr.unroll(gaussian, jax.random.normal(jax.random.key(3), gaussian.shape), skip=250)
    operator = jr.AveragePool(2)

    def method(settings):
        return jr.bird(gaussian, operator, settings=settings)

    example = Example(np.asarray(clean), operator(clean), method)
    tried = [replace(START, skip=250, iterations=20, noise_lr=rate) for rate in (1e-4, 0.1)]
    scored = list(compare(tried, [example], jax.random.key(0)))
    assert [one.settings for one in scored] == tried
    assert scored[1].psnr > scored[0].psnr + 1
    assert chosen(scored) is scored[1]


def test_of_scores_alike_the_crisper_wins_and_failures_never():
    scored = [Scored(START, psnr, deviation) for psnr, deviation in ((27.0, 0.08), (26.95, 0.06), (26.0, 0.01))]
    assert chosen(scored) is scored[1]
    assert chosen([Scored(START, float("nan"), 0.0), scored[2]]) is scored[2]
    with pytest.raises(InputError, match="None of the settings"):
        chosen([Scored(START, float("nan"), 0.0)])


def test_a_blind_kernel_is_judged_after_the_best_shift(gaussian, monkeypatch):
    clean = np.asarray(as_stored(np.random.default_rng(0).uniform(-1, 1, gaussian.shape)))
    shifted = SimpleNamespace(image=np.roll(clean, 1, 0))
    monkeypatch.setattr(tuning, "restore", lambda method, y, key: shifted)
    scores = []
    for unknown in (True, False):
        operator = jr.Blur(jr.GaussianKernel(3, unknown=unknown))
        method = SimpleNamespace(operator=operator)
        example = Example(clean, jnp.zeros(gaussian.shape), lambda settings, method=method: method)
        scores += compare([START], [example], jax.random.key(0))
    assert scores[0].psnr > 100  # a shift that the kernel may have had, and nobody can tell
    assert scores[1].psnr < 20


def test_settings_are_kept_beside_others(tmp_path):
    path = tmp_path / "settings.json"
    keep_settings(path, "bird", "denoise", START, {"photographs": 4})
    other = replace(jr.published("invert2restore"), density=1e-3)
    keep_settings(path, "invert2restore", "jpeg", other, {"photographs": 2})
    better = replace(START, noise_lr=0.05)
    keep_settings(path, "bird", "denoise", better, {"photographs": 9})
    tuned = read_tuned(tmp_path)
    assert tuned.table == {
        "bird": {"denoise": values_of(better)},
        "invert2restore": {"jpeg": values_of(other)},
    }
    assert json.loads(path.read_text())["tuned_on"] == {
        "bird on denoise": {"photographs": 9},
        "invert2restore on jpeg": {"photographs": 2},
    }
    prior = jr.Prior(lambda parameters, x, t: x, {}, jr.schedule.linear(), (8, 8, 3), settings=tuned)
    assert jr.settings_for("bird", "denoise", prior) == better
    assert jr.settings_for("invert2restore", "jpeg", prior) == other
    assert jr.settings_for("bird", "inpaint", prior) == jr.published("bird", "inpaint")  # nothing was said of it


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "jaxrestore typical 1"}', '{"methods": {}}'])
def test_another_file_is_not_written_over(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"settings\.json"):
        stored_settings(path)
    with pytest.raises(InputError, match=r"settings\.json"):
        keep_settings(path, "bird", "any", START, {})
    assert path.read_text() == text
