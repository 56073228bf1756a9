"""Schedulers' configs: the process, the prediction, clipping and times; what is not known is refused by name."""

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxrestore as jr
from checkpoints_convert import ConversionError, ReadError
from checkpoints_convert.schedulers import NEARLY_ZERO, SCHEDULERS, read_scheduler, scheduler

LATENT = {  # of CompVis/ldm-celebahq-256
    "_class_name": "DDIMScheduler", "_diffusers_version": "0.0.4", "beta_end": 0.0195, "beta_schedule": "scaled_linear",
    "beta_start": 0.0015, "clip_sample": False, "num_train_timesteps": 1000, "timestep_values": None,
    "trained_betas": None,
}  # fmt: skip
STABLE = {  # of the usual latent models with text
    "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "beta_start": 0.00085, "num_train_timesteps": 1000, "set_alpha_to_one": False, "skip_prk_steps": True,
    "steps_offset": 1, "trained_betas": None, "clip_sample": True,
}  # fmt: skip


def test_schedulers_of_public_models():
    found = scheduler(LATENT)
    np.testing.assert_allclose(found.alpha_bar, jr.schedule.scaled_linear(1000, 0.0015, 0.0195).alpha_bar, rtol=1e-6)
    assert found[1:] == ("noise", False, "leading", 0)
    found = scheduler(STABLE)
    np.testing.assert_allclose(found.alpha_bar, jr.schedule.scaled_linear().alpha_bar, rtol=1e-6)
    assert found[1:] == ("noise", False, "leading", 1)  # this one never clips, whatever its config says
    found = scheduler({"_class_name": "DDPMScheduler", "variance_type": "fixed_small", "clip_sample_range": 1.0})
    np.testing.assert_allclose(found.alpha_bar, jr.schedule.linear().alpha_bar, rtol=1e-6)
    assert found[1:] == ("noise", True, "leading", 0)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_all_mean_the_same_process(name):
    betas = {"beta_start": 1e-3, "beta_end": 0.1, "num_train_timesteps": 40}
    found = scheduler({"_class_name": name, **betas, "prediction_type": "v_prediction"})
    np.testing.assert_allclose(found.alpha_bar, np.cumprod(1 - np.linspace(1e-3, 0.1, 40)), rtol=1e-6)
    assert found.prediction == "v"
    by_default = scheduler({"_class_name": name})
    start = 0.00085 if name.startswith(("KDPM2", "Heun", "DPMSolverSDE")) else 1e-4
    assert by_default.alpha_bar[0] == pytest.approx(1 - start, abs=1e-7)
    assert by_default.clip == name.startswith(("DD", "RePaint"))
    assert by_default.grid == ("leading" if name.startswith(("DD", "PNDM", "RePaint")) else "linspace")


def test_how_a_scheduler_steps_is_its_own_affair():
    """Options of the steps, of other classes that a config went through, and of versions to come."""
    steps = {"thresholding": True, "use_karras_sigmas": True, "solver_order": 3, "final_sigmas_type": "sigma_min"}
    left = {"timestep_scaling": 10.0, "original_inference_steps": 50, "shift": 3.0, "an_option_of_tomorrow": "x"}
    for name in ("EulerDiscreteScheduler", "UniPCMultistepScheduler", "DPMSolverMultistepScheduler"):
        found = scheduler({**LATENT, "_class_name": name, **steps, **left})
        np.testing.assert_array_equal(found.alpha_bar, scheduler(LATENT).alpha_bar)


@pytest.mark.parametrize(
    ("options", "betas"),
    [
        ({"beta_schedule": "linear"}, np.linspace(1e-4, 0.02, 50)),
        ({"beta_schedule": "scaled_linear"}, np.linspace(1e-2, 0.02**0.5, 50) ** 2),
        ({"beta_schedule": "sigmoid"}, 1e-4 + (0.02 - 1e-4) / (1 + np.exp(-np.linspace(-6, 6, 50)))),
        ({"trained_betas": [0.1] * 50}, np.full(50, 0.1)),
    ],
)
def test_betas(options, betas):
    found = scheduler({"num_train_timesteps": 50, **options})
    np.testing.assert_allclose(found.alpha_bar, np.cumprod(1 - betas), rtol=1e-5)


def test_cosine_betas_are_capped():
    found = scheduler({"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 100}).alpha_bar
    assert found[-1] / found[-2] == pytest.approx(1e-3, rel=1e-3)
    level = np.cos((np.arange(100) / 100 + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(found[:-1], level[1:] / level[0], rtol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "scaled_linear"])
def test_a_process_rescaled_to_end_without_signal(kind):
    config = {"beta_schedule": kind, "prediction_type": "v_prediction"}
    plain, rescaled = (scheduler({**config, "rescale_betas_zero_snr": flag}).alpha_bar for flag in (False, True))
    root, wanted = np.sqrt(rescaled), np.sqrt(plain)
    assert rescaled[0] == pytest.approx(plain[0], rel=1e-6)
    assert rescaled[-1] == NEARLY_ZERO
    wanted = (wanted - wanted[-1]) * wanted[0] / (wanted[0] - wanted[-1])
    np.testing.assert_allclose(root, wanted, atol=NEARLY_ZERO**0.5 * 1.0001)
    assert len(jr.Schedule(rescaled)) == 1000
    with pytest.raises(ConversionError, match="no signal at its end"):
        scheduler({**config, "prediction_type": "epsilon", "rescale_betas_zero_snr": True})


def test_predictions_of_older_configs():
    assert scheduler({"predict_epsilon": False}).prediction == "x0"
    assert scheduler({"predict_epsilon": False, "prediction_type": "epsilon"}).prediction == "noise"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "'FlowMatchEulerDiscreteScheduler' is not known; known: DDPM, "),
        ({"_class_name": None}, "None is not known"),
        ({"prediction_type": "flow_prediction"}, "prediction_type 'flow_prediction' is not known"),
        ({"prediction_type": []}, "can't be understood"),
        ({"beta_schedule": "laplace"}, "beta_schedule 'laplace' is not known"),
        ({"beta_schedule": ["linear"]}, "is not known"),
        ({"use_flow_sigmas": True}, "use_flow_sigmas=True"),
        ({"timestep_type": "continuous"}, "timestep_type='continuous'"),
        ({"timestep_spacing": "karras"}, "timestep_spacing 'karras' is not known; known: trailing"),
        ({"clip_sample": "no"}, "clip_sample must be true or false"),
        ({"clip_sample": True, "clip_sample_range": 2.0}, "clip_sample_range=2.0"),
        ({"num_train_timesteps": 10**11}, "num_train_timesteps must be between 1 and 100000"),
        ({"num_train_timesteps": 0}, "between 1 and"),
        ({"num_train_timesteps": True}, "between 1 and"),
        ({"num_train_timesteps": 1000.0}, "between 1 and"),
        ({"beta_start": -1e-4}, r"beta_start must lie in \[0, 1\)"),
        ({"beta_end": float("inf")}, r"beta_end must lie in \[0, 1\)"),
        ({"beta_end": float("nan")}, r"beta_end must lie in \[0, 1\)"),
        ({"beta_end": 10**400}, r"beta_end must lie in \[0, 1\)"),
        ({"beta_end": "0.02"}, r"beta_end must lie in \[0, 1\)"),
        ({"beta_end": 0.999, "beta_start": 0.9}, "can't be understood"),  # the signal left is below float32
        ({"trained_betas": 3}, "trained_betas must be a list"),
        ({"trained_betas": [0.1] * 100_001}, "trained_betas must be a list of at most 100000"),
        ({"trained_betas": [0.1, "x"]}, "can't be understood"),
        ({"trained_betas": [[0.1]]}, "can't be understood"),
        ({"trained_betas": [0.1, 1.5]}, "can't be understood"),
        ({"trained_betas": [0.1] * 10}, "10 trained_betas for 1000"),
        ({"trained_betas": []}, "can't be understood"),
        ({"rescale_betas_zero_snr": 1}, "must be true or false"),
        ({"rescale_betas_zero_snr": True, "prediction_type": "sample", "num_train_timesteps": 1}, "doesn't fall"),
        ({"steps_offset": -1}, "steps_offset must be between 0 and 999"),
        ({"steps_offset": 1000}, "steps_offset must be between 0 and 999"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(changes, words, tmp_path):
    (tmp_path / "scheduler_config.json").write_text(json.dumps({**LATENT, **changes}))
    with pytest.raises(ConversionError, match=words) as error:
        read_scheduler(tmp_path)
    assert len(str(error.value)) < 600


def test_where_a_scheduler_is_looked_for(tmp_path):
    assert read_scheduler(tmp_path) is None
    for place in ("unet", "scheduler"):
        (tmp_path / place).mkdir()
    path = tmp_path / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(LATENT))
    assert read_scheduler(tmp_path).clip is read_scheduler(tmp_path / "unet").clip is False
    for place in ("unet_ema", "checkpoint-500", "checkpoint-500/unet_ema"):
        assert read_scheduler(tmp_path / place).clip is False
    assert read_scheduler(tmp_path / "another") is None
    for text in ("{", "[]", "[" * 100_000, '{"beta_start": 1' + "0" * 5000 + "}"):
        path.write_text(text)
        with pytest.raises(ReadError, match="scheduler_config"):
            read_scheduler(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
OPTIONS = ["_class_name", "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "steps_offset",
           "prediction_type", "clip_sample", "clip_sample_range", "rescale_betas_zero_snr", "timestep_spacing",
           "predict_epsilon", "thresholding", "solver_order"]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(OPTIONS), JSON, max_size=3))
def test_any_value_is_read_or_refused(tmp_path_factory, changes):
    folder = tmp_path_factory.getbasetemp()
    (folder / "scheduler_config.json").write_text(json.dumps({**LATENT, **changes}))
    start = time.monotonic()
    try:
        found = read_scheduler(folder)
    except (ConversionError, ReadError) as error:
        assert len(str(error)) < 1000  # noqa: PT017
    else:
        assert found is not None
        assert len(jr.Schedule(found.alpha_bar)) <= 100_000
    assert time.monotonic() - start < 5
