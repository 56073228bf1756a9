"""From flags to a plan."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.cli.blind_samplers import BLIND_SAMPLERS
from jaxrestore.cli.choices import BIRD, SAMPLERS, constrained, stopping_rule
from jaxrestore.cli.flags import AlbumFlags, MethodFlags
from jaxrestore.cli.plan import RestorationFlags, restoration_plan
from jaxrestore.cli.settled import Descending, Drawing
from jaxrestore.diffusion.tuned import Tuned
from jaxrestore.errors import InputError, InputWarning
from jaxrestore.stopping import Discrepancy, FlatVariance, Plateau


@pytest.fixture
def plan(tiny_folder):
    def made(**flags):
        return restoration_plan(RestorationFlags(prior=tiny_folder, **flags))

    return made


def test_flags_take_the_place_of_the_presets_settings(plan):
    settled = plan(task="inpaint").method
    assert isinstance(settled, Descending)
    assert settled.settings == jr.published("bird", "inpaint")
    changed = plan(task="inpaint", iterations=3, noise_lr=0.5, restarts=4, combine="mean", gradient="full").method
    assert (changed.settings.iterations, changed.settings.noise_lr, changed.settings.gradient) == (3, 0.5, "full")
    assert (changed.restarts, changed.combine) == (4, "mean")
    assert plan(task="inpaint", preset="general").method.settings == jr.published("bird", "any")
    with pytest.raises(InputError, match="Unknown preset 'papper'; known: published, prior, general"):
        plan(task="inpaint", preset="papper")
    with pytest.raises(InputError, match="has no settings for bird: `jaxrestore tune` finds them"):
        plan(task="inpaint", preset="prior")


def test_a_rate_of_the_operators_turns_its_own_steps_off():
    tuned = Tuned.of({"bird": {"any": {"operator_every": 10}}})
    prior = jr.Prior(lambda parameters, x, t: x, {}, jr.schedule.linear(), (8, 8, 3), settings=tuned)
    assert BIRD.settle(MethodFlags(), AlbumFlags(), prior, "any").settings.operator_every == 10
    assert BIRD.settle(MethodFlags(operator_lr=0.1), AlbumFlags(), prior, "any").settings.operator_every == 0


def test_noise_is_in_grey_levels_and_estimated_where_it_decides(plan):
    assert plan(task="denoise", noise_level=25.5).sigma == pytest.approx(0.2)
    assert plan(task="denoise").sigma == 0
    assert plan(task="denoise", restarts=2).sigma == "auto"  # which of two is the best?
    assert plan(task="denoise", restarts=2, combine="mean").sigma == 0
    assert plan(task="denoise", discrepancy=1.0).sigma == "auto"
    assert plan(task="jpeg", restarts=2).sigma == 0  # blind, and the data term tells them apart
    with pytest.warns(InputWarning, match=r"less than one grey level of 255: if white is 1, give 25\.5"):
        assert plan(task="denoise", noise_level=0.1).sigma == pytest.approx(0.2 / 255)
    with pytest.raises(InputError, match="--discrepancy needs --noise-level"):
        plan(task="jpeg", discrepancy=1.0)
    assert plan(task="blind-deblur").sigma == "auto"  # by a sampler that counts on it
    with pytest.raises(InputError, match="in so sparse a measurement"):
        plan(task="super-resolution", noise_level="auto")


def test_the_noise_of_a_measurement(plan):
    rng = np.random.default_rng(0)
    y = jnp.asarray(rng.normal(0, 0.1, (1, 64, 64, 3)), jnp.float32)
    half = jr.Mask(jr.text_mask((64, 64), "flower"))
    known = float(np.mean(half.known))
    told, estimated = plan(task="denoise", noise_level=25.5), plan(task="denoise", noise_level="auto")
    assert float(told.sigma_y(half, y)) == pytest.approx(0.2 * known**0.5)
    assert float(estimated.sigma_y(jr.Identity(), y)) == pytest.approx(0.1, rel=0.05)
    assert float(estimated.sigma_y(half, half(y))) == pytest.approx(0.1 * known**0.5, rel=0.05)


def test_rules_are_said_by_flags_or_are_the_settings_own(plan):
    assert stopping_rule(MethodFlags()) is None
    rule = stopping_rule(MethodFlags(discrepancy=1.1, slope=0.01, window=10))
    assert [type(one) for one in rule.rules] == [Discrepancy, Plateau, FlatVariance]
    assert (rule.rules[0].factor, rule.rules[1].patience, rule.rules[2].window) == (1.1, 20, 10)
    own = plan(task="blind", method="diip").method
    assert [one["rule"] for one in own.settings.stop] == ["small_slope", "less_sharp"]
    for wrong in ({"window": 1}, {"slope": -1.0}, {"discrepancy": float("nan")}):
        with pytest.raises(InputError, match=f"--{next(iter(wrong))} must "):
            stopping_rule(MethodFlags(**wrong))


def test_a_chain_is_of_the_kind_that_it_makes(plan, tmp_path):
    chain = tmp_path / "chain.json"
    chain.write_text('[{"operator": "blur", "kernel": "unknown", "size": 3}, {"operator": "reduce", "factor": 2}]')
    made = plan(operator=chain)
    assert made.task.name == "operator"
    assert made.task.kind_for(made.operator, made.prior.shape[:2]) == "blind-super-resolution"


def test_gen2res_draws_from_a_depth_in_so_many_steps(plan):
    settled = plan(task="blind", method="gen2res", depth=5, finetune_steps=0, restarts=3).method
    assert isinstance(settled, Drawing)
    assert (settled.constraint.depth, settled.constraint.steps, settled.restarts) == (5, None, 3)
    album = jr.published("gen2res")
    few = constrained(album, MethodFlags(iterations=4), AlbumFlags(depth=9, finetune_steps=7), 1000)
    assert (few.depth, few.steps, few.personal_steps, few.finetuning.steps) == (9, 4, 7, 7)
    with pytest.raises(InputError, match="--depth must lie between 1 and 999, the prior's last time, not 1000"):
        constrained(album, MethodFlags(), AlbumFlags(depth=1000), 1000)
    with pytest.raises(InputError, match="--iterations of gen2res must lie between 2 and 10"):
        constrained(album, MethodFlags(iterations=11), AlbumFlags(depth=9), 1000)


def test_dreamclean_takes_steps_and_restarts(plan):
    settled = plan(task="blind", method="dreamclean", iterations=4, restarts=3).method
    assert (settled.settings, settled.restarts, settled.combine) == (jr.DreamCleanSettings(steps=4), 3, "mean")
    with pytest.raises(InputError, match="--method dreamclean draws at random, and no draw is best"):
        plan(task="blind", method="dreamclean", combine="best")
    for wrong, flag in (({"noise_lr": 0.1}, "--noise-lr"), ({"discrepancy": 1.0}, "--discrepancy")):
        with pytest.raises(InputError, match=f"--method dreamclean has no use for {flag}"):
            plan(task="blind", method="dreamclean", **wrong)
    with pytest.raises(InputError, match="--depth is for --method gen2res"):
        plan(task="blind", method="dreamclean", depth=3)
    with pytest.raises(InputError, match="not one of --method dreamclean"):
        plan(task="denoise", method="dreamclean")


@pytest.mark.parametrize("name", [choice.name for choice in SAMPLERS])
def test_samplers_take_steps_restarts_and_a_noise_level(plan, name):
    settled = plan(task="inpaint", method=name, iterations=4, restarts=3, noise_level=25.5).method
    assert (settled.settings.steps, settled.restarts, settled.combine) == (4, 3, "mean")
    assert plan(task="inpaint", method=name).method.settings == jr.published(name, "inpaint")
    with pytest.raises(InputError, match=f"--method {name} draws at random, and no draw is best"):
        plan(task="inpaint", method=name, combine="best")
    for wrong, flag in (({"noise_lr": 0.1}, "--noise-lr"), ({"discrepancy": 1.0}, "--discrepancy")):
        with pytest.raises(InputError, match=f"--method {name} has no use for {flag}"):
            plan(task="inpaint", method=name, **wrong)
    with pytest.raises(InputError, match=f"not one of --method {name}"):
        plan(task="blind-deblur", method=name)


@pytest.mark.parametrize("name", [choice.name for choice in BLIND_SAMPLERS])
def test_blind_samplers_take_steps_restarts_and_how_they_combine(plan, name):
    settled = plan(task="blind-deblur", method=name, iterations=4, restarts=3, combine="best").method
    assert (settled.settings.steps, settled.restarts, settled.combine) == (4, 3, "best")
    assert plan(task="blind-deblur", method=name).method.settings == jr.published(name, "blind-deblur")
    with pytest.raises(InputError, match=f"--method {name} has no use for --noise-lr"):
        plan(task="blind-deblur", method=name, noise_lr=0.1)
    if name in ("blind-dps", "gdp"):
        assert plan(task="jpeg", method=name, operator_lr=0.5).method.settings.operator_lr == 0.5
    else:
        with pytest.raises(InputError, match=f"--method {name} has no use for --operator-lr"):
            plan(task="jpeg", method=name, operator_lr=0.5)
    with pytest.raises(InputError, match=f"not one of --method {name}"):
        plan(task="inpaint", method=name)


@pytest.mark.parametrize(("name", "task"), [("dip", "denoise"), ("selfdeblur", "blind-deblur")])
def test_untrained_networks_take_iterations_restarts_and_rules(plan, name, task):
    settled = plan(task=task, method=name, iterations=4, restarts=3, window=5).method
    assert (settled.settings.iterations, settled.restarts) == (4, 3)
    assert settled.combine == {"dip": "mean", "selfdeblur": "best"}[name]
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 1.0)
    method = settled.method(prior, jr.Identity(), 0.1)
    assert (method.iterations, method.restarts, method.combine) == (4, 3, settled.combine)
    assert method.stop == jr.any_of(jr.flat_variance(5))
    assert plan(task=task, method=name).method.settings == jr.published(name, task)
    with pytest.raises(InputError, match=f"--method {name} has no use for --noise-lr"):
        plan(task=task, method=name, noise_lr=0.1)
    with pytest.raises(InputError, match=f"not one of --method {name}"):
        plan(task="blind-deblur" if name == "dip" else "inpaint", method=name)


def test_who_asks_for_the_noise_has_it_estimated(plan):
    """Of an image that is its own measurement; for others it is zero unless it is told."""
    assert [plan(task="denoise", method=name).sigma for name in ("pigdm", "ddnm", "diffpir", "dps")] == [
        *["auto"] * 3,
        0,
    ]
    assert plan(task="denoise", method="pigdm", noise_level=0.0).sigma == 0
    assert plan(task="inpaint", method="pigdm").sigma == 0


def test_flags_that_a_method_has_no_use_for(plan):
    with pytest.raises(InputError, match="--task blind has no use for --noise-lr unless --method is diip"):
        plan(task="blind", noise_lr=0.1)
    with pytest.raises(InputError, match="--method gen2res has no use for --slope"):
        plan(task="blind", method="gen2res", slope=0.1)
    with pytest.raises(InputError, match="--depth is for --method gen2res"):
        plan(task="denoise", depth=3)
