"""The table of methods says what the methods are."""

import re
from typing import get_args, get_type_hints

import jax.numpy as jnp

import jaxrestore as jr
from jaxrestore.cli.choices import CHOICES
from jaxrestore.cli.flags import MethodFlags
from jaxrestore.cli.methods_table import HEADER, method_rows
from jaxrestore.cli.tune import Tune


def test_every_method_has_a_line(command, tiny_folder):
    code, said, _ = command("methods", "--prior", tiny_folder)
    header, *lines = [re.split(r" {2,}", line) for line in said.splitlines()]
    assert (code, tuple(header)) == (0, HEADER)
    assert [line[0] for line in lines] == [choice.name for choice in CHOICES]
    cost = {(name, blind): evaluations for name, blind, _, evaluations, _ in lines}
    assert cost["bird", "no"] == "2000"  # 200 iterations of ten steps, as published
    assert (cost["dmplug", "no"], cost["d-flow", "no"]) == ("30000", "4800")
    assert cost["dreamclean", "yes"] == "90"
    assert cost["dps", "no"] == "1000"
    assert {cost[name, "no"] for name in ("pigdm", "ddnm", "diffpir")} == {"100"}
    assert [cost[name, "no"] for name in ("ddrm", "pnp-flow", "flowdps")] == ["20", "500", "28"]
    assert cost["repaint", "no"] == "2410"
    assert cost["invert2restore-calibrated", "yes"] == "-"  # this prior has no statistics
    assert cost["daps", "no"] == "1000"
    assert [cost[name, "no"] for name in ("fast-em", "blind-dps", "gdp")] == ["100", "1000", "1000"]
    assert {line[0]: line[2] for line in lines}["repaint"] == "a mask"


def test_costs_are_those_of_the_prior_that_is_asked_about():
    """Of a prior of few times a sampler takes each of them once."""
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2, jr.schedule.linear(300, 1e-4, 0.06))
    rows = {row[0]: row[3] for row in method_rows(prior)}
    assert rows["dps"] == "300"
    assert rows["pigdm"] == "100"


def test_the_flag_takes_every_method():
    hints = get_args(get_type_hints(MethodFlags)["method"])
    assert {*get_args(hints[0])} == {choice.name for choice in CHOICES}
    hints = get_args(get_type_hints(Tune)["method"])
    assert {*get_args(hints[0])} == {choice.name for choice in CHOICES if choice.tunable}
