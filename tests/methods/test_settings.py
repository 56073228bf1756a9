"""Settings as they are given: what can't be meant is refused, and what is traced is nobody's to judge."""

import math

import jax
import jax.numpy as jnp
import pytest

import jaxrestore as jr
from jaxrestore.methods.settings import read_settings

WRONG = [
    ({"noise_lr": math.nan}, "noise_lr must be a number from 0 on, not nan"),
    ({"noise_lr": -1.0}, "noise_lr must be a number from 0 on, not -1.0"),
    ({"noise_lr": jnp.float32(math.inf)}, "noise_lr must be a number from 0 on, not inf"),
    ({"operator_lr": math.inf}, "operator_lr must be a number from 0 on, not inf"),
    ({"sigma_y": -0.1}, "sigma_y must be a number from 0 on, not -0.1"),
    ({"sigma_y": jnp.float32(math.nan)}, "sigma_y must be a number from 0 on, not nan"),
    ({"operator_from": 2.0}, "operator_from must lie between 0 and 1, not 2.0"),
    ({"iterations": 0}, "iterations must be at least 1, not 0"),
    ({"restarts": -1}, "restarts must be at least 1, not -1"),
    ({"skip": 0}, "skip must be at least 1, not 0"),
]


@pytest.mark.parametrize(("given", "words"), WRONG)
@pytest.mark.parametrize("method", [jr.bird, jr.shred, jr.invert2restore])
def test_what_cannot_be_meant_is_refused(method, given, words, gaussian):
    with pytest.raises(jr.InputError, match=words):
        method(gaussian, jr.AveragePool(2), **given)


def test_rates_of_one_method_alone(gaussian):
    for given in ({"density": -1.0}, {"spread": math.nan}, {"fresh": 2.0}, {"patch": 0}):
        with pytest.raises(jr.InputError, match=f"{next(iter(given))} must"):
            jr.invert2restore(gaussian, jr.AveragePool(2), **given)
    with pytest.raises(jr.InputError, match="untypical must be a number from 0 on, not nan"):
        jr.CalibratedSettings(untypical=math.nan)
    with pytest.raises(jr.InputError, match="noise_to_signal must be a number above 0, not 0"):
        jr.LiteralSettings(noise_to_signal=(1.0, 0.0))
    with pytest.raises(jr.InputError, match="noise_to_signal must be a tuple with a number for each round"):
        jr.LiteralSettings(noise_to_signal=())
    with pytest.raises(jr.InputError, match=r"faces: noise_to_signal can't be \('deep',\)"):
        read_settings(jr.LiteralSettings, {"noise_to_signal": ["deep"]}, "The settings of faces")


def test_a_traced_rate_is_taken_as_it_is(gaussian):
    def rates(noise_lr, sigma_y):
        method = jr.bird(gaussian, jr.AveragePool(2), noise_lr=noise_lr, sigma_y=sigma_y)
        return method.noise_lr, method.sigma_y

    many = jnp.array([0.1, jnp.nan])
    found = jax.jit(jax.vmap(rates))(many, -many)
    assert found[0][0] == jnp.float32(0.1)
    assert found[1][0] == jnp.float32(-0.1)


def test_a_file_of_settings_is_named(gaussian):
    with pytest.raises(jr.InputError, match=r"The settings of faces: noise_lr must be at least 0, not -1"):
        read_settings(jr.Settings, {"noise_lr": -1}, "The settings of faces")
