"""Losses, the step, and the loop around it: equal however it is divided, killed and resumed."""

import dataclasses
import inspect
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import mean_prior
from golden_files import arrays, config, prior
from PIL import Image

import jaxrestore as jr
from jaxrestore.diffusion.denoisers import flow_times
from jaxrestore.errors import InputError
from jaxrestore.runtime import profiling
from jaxrestore.training import steps as single
from jaxrestore.training.loop import train
from jaxrestore.training.sources import photographs
from jaxrestore.training.steps import Training

KEY = jax.random.key(3)
SHORT = Training(steps=6, batch_size=4, learning_rate=1e-2, warmup=2, average=0.9)


@pytest.fixture(scope="module")
def album():
    return np.clip(0.3 + 0.2 * np.random.default_rng(1).standard_normal((5, 8, 8, 3), np.float32), -1, 1)


def given_output(parameters, x, t, label, key):
    return parameters


@pytest.mark.parametrize("kind", ["noise", "v", "x0", "velocity"])
def test_loss_is_the_error_of_what_the_network_predicts(kind):
    x0, noise, output = np.random.default_rng(3).standard_normal((3, 5, 4, 4, 3), np.float32)
    t, schedule = np.array([0, 10, 300, 700, 999]), jr.schedule.linear()
    prior = jr.Prior(given_output, jax.device_put(output), schedule, (4, 4, 3), kind)
    alpha_bar = np.asarray(schedule.alpha_bar)[t].reshape(-1, 1, 1, 1)
    v = np.sqrt(alpha_bar) * noise - np.sqrt(1 - alpha_bar) * x0
    wanted = {"noise": noise, "x0": x0, "v": v, "velocity": noise - x0}[kind]
    plain, weighted = jax.jit(lambda *given: (single.losses(*given), single.losses(*given, 5.0)))(prior, x0, noise, t)
    np.testing.assert_allclose(plain, np.mean((output - wanted) ** 2, axis=(1, 2, 3)), rtol=2e-3)
    snr = (alpha_bar / (1 - alpha_bar)).ravel()
    seen = {"noise": 1 / snr, "v": 1 / (snr + 1), "x0": 1.0, "velocity": 1 / (1 + snr**0.5) ** 2}[kind]
    weight = seen * np.minimum(snr, 5)  # Hang et al., section 3.4
    np.testing.assert_allclose(weighted, weight * plain, rtol=1e-3)


def test_a_network_with_a_variance_output_has_the_published_hybrid_loss():
    data, about = arrays("ancestral", "steps.npz"), config("adm_uncond")
    x0, noise = (np.moveaxis(data[f"linear.train_{name}"], -3, -1) for name in ("x0", "noise"))
    found = jax.jit(single.losses)(prior(about, about["tensors"]), x0, noise, data["linear.t"])
    np.testing.assert_allclose(found, data["linear.train_loss"], rtol=2e-3)


def test_rates():
    rate = single.learning_rate(Training(steps=18, warmup=2, learning_rate=1.0, anneal="linear"))
    np.testing.assert_allclose([rate(i) for i in (0, 1, 2, 10, 18)], [0, 0.5, 1, 0.5, 0], atol=1e-6)
    rate = single.learning_rate(Training(steps=16, warmup=500, learning_rate=1.0, anneal="constant"))
    np.testing.assert_allclose([rate(i) for i in (0, 1, 2, 15)], [0, 0.5, 1, 1], atol=1e-6)  # a short one is soon warm
    rate = single.learning_rate(Training(steps=10, warmup=0, learning_rate=1.0, anneal="cosine"))
    np.testing.assert_allclose([rate(i) for i in (0, 5, 10)], [1, 0.5, 0], atol=1e-6)


def test_parts_of_a_batch_make_no_difference(affine_prior, album):
    whole, parts = SHORT, dataclasses.replace(SHORT, accumulate=2)
    found = []
    for settings in (whole, parts):
        images = jnp.asarray(album[:4]).reshape(settings.accumulate, -1, 8, 8, 3)
        state = jax.tree.map(jnp.copy, single.begin(affine_prior, settings))
        state, about = single.step(dataclasses.replace(affine_prior, parameters=None), settings, state, images, KEY)
        found.append((about, state.optimizer))
    for one, other in zip(jax.tree.leaves(found[0]), jax.tree.leaves(found[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_the_average_follows_the_weights(affine_prior, album):
    """(1 + i) / (10 + i) of what it was, while that is less than `average`."""
    bare, state = dataclasses.replace(affine_prior, parameters=None), single.begin(affine_prior, SHORT)
    state, wanted = jax.tree.map(jnp.copy, state), np.zeros((8, 8, 3))
    for i in range(3):
        state, _ = single.step(bare, SHORT, state, jnp.asarray(album[None, :4]), KEY)
        decay = (1 + i) / (10 + i)
        wanted = decay * wanted + (1 - decay) * np.asarray(state.parameters["mean"])
    np.testing.assert_allclose(single.trained(bare, SHORT, state).parameters["mean"], wanted, rtol=1e-5, atol=1e-7)
    last = dataclasses.replace(SHORT, average=0.0)
    assert single.trained(bare, last, state).parameters is state.parameters


def test_only_the_times_asked_for_are_trained(affine_prior, album):
    """A network that is right at small times and wrong above has no loss below."""
    mean = jnp.full((8, 8, 3), 0.5)

    def network(parameters, x, t, label, key):
        noise = affine_prior.network({"mean": mean}, x, t, label, key)
        return noise + parameters["wrong"] * (t >= 100).reshape(-1, 1, 1, 1)

    prior = jr.Prior(network, {"wrong": jnp.ones(())}, affine_prior.schedule, (8, 8, 3))
    images = np.broadcast_to(np.asarray(mean), (4, 8, 8, 3)).copy()
    assert train(prior, images, KEY, dataclasses.replace(SHORT, times=100)).losses.max() < 1e-6
    assert train(prior, images, KEY, SHORT).losses.min() > 0.1


def test_operations_are_counted():
    matrix = jnp.ones((64, 64))
    assert profiling.flops(jax.jit(jnp.matmul).lower(matrix, matrix)) == pytest.approx(2 * 64**3, rel=0.05)
    assert profiling.peak_flops() > 1e8


def test_the_loss_falls_and_the_caller_keeps_its_weights(affine_prior, album):
    before = jax.tree.map(np.array, affine_prior.parameters)
    settings = dataclasses.replace(SHORT, steps=40)
    done = train(affine_prior, album, KEY, settings)
    assert done.losses.shape == (40,)
    assert done.losses[-10:].mean() < 0.8 * done.losses[:5].mean()
    jax.tree.map(np.testing.assert_array_equal, before, affine_prior.parameters)
    moved = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), done.prior.parameters, before)
    assert max(jax.tree.leaves(moved)) > 1e-3


def test_a_killed_training_goes_on_with_equal_losses(affine_prior, album, tmp_path):
    whole = train(affine_prior, album, KEY, SHORT)

    def die(trained):
        assert trained.step == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(affine_prior, album, KEY, SHORT, checkpoint=tmp_path / "run", report_every=2, watch=die)
    piece = train(affine_prior, album, KEY, SHORT, checkpoint=tmp_path / "run", report_every=2, minutes=0.0)
    assert piece.step == 2
    seen = []
    rest = train(affine_prior, album, KEY, SHORT, checkpoint=tmp_path / "run", report_every=2, watch=seen.append)
    assert [trained.step for trained in seen] == [4, 6]
    assert seen[-1].speed["images_per_second"] > 0
    np.testing.assert_array_equal(rest.losses, whole.losses)
    jax.tree.map(np.testing.assert_array_equal, rest.prior.parameters, whole.prior.parameters)
    with pytest.raises(InputError, match="another run"):
        train(affine_prior, album, KEY, dataclasses.replace(SHORT, learning_rate=0.1), checkpoint=tmp_path / "run")


def test_a_flow_learns_its_data(album):
    """Data without spread: the velocity is (x - mean) / u, whose only weights are the mean."""
    levels = jr.schedule.flow()
    u = flow_times(levels.alpha_bar)

    def network(parameters, x, t, label, key):
        return (x - parameters["mean"]) / u[t].reshape(-1, 1, 1, 1)

    fresh = jr.Prior(network, {"mean": jnp.zeros((8, 8, 3))}, levels, (8, 8, 3), "velocity")
    settings = Training(steps=150, batch_size=4, learning_rate=0.05, warmup=0, average=0.0, flip=False, anneal="linear")
    trained = train(fresh, np.broadcast_to(album[:1], album.shape).copy(), KEY, settings).prior
    np.testing.assert_allclose(trained.parameters["mean"], album[0], atol=0.05)
    noise = jax.random.normal(KEY, (8, 8, 3))
    np.testing.assert_allclose(jr.unroll(trained, noise, skip=50, clip=False), trained.parameters["mean"], atol=0.01)


def test_what_cannot_be_meant_is_said(affine_prior, album):
    for wrong, words in (
        ({"batch_size": 5, "accumulate": 2}, "can't be divided"),
        ({"steps": 0}, "at least 1"),
        ({"learning_rate": float("nan")}, "from 0 on"),
        ({"crop": 0.0}, "crop in"),
        ({"min_snr": -1.0}, "above 0"),
        ({"times": 1001}, "the schedule's 1000"),
    ):
        with pytest.raises(InputError, match=words):
            train(affine_prior, album, KEY, dataclasses.replace(SHORT, **wrong))
    with pytest.raises(InputError, match=r"non-finite at step \d"):
        train(affine_prior, album, KEY, dataclasses.replace(SHORT, learning_rate=1e30, warmup=0))
    with pytest.raises(InputError, match="album is an array of shape"):
        train(affine_prior, album[:, :4], KEY, SHORT)


SHARDED = f"""
import sys
import jax, jax.numpy as jnp, numpy as np, jaxrestore as jr
from jaxrestore.training.loop import devices_for, train
from jaxrestore.training.steps import Training
{inspect.getsource(mean_prior)}
losses = train(mean_prior(), np.load(sys.argv[1]), jax.random.key(3), {SHORT}).losses
print(len(devices_for(4)), len(devices_for(6)), *losses)
"""


def test_devices_share_a_batch(affine_prior, album, tmp_path):
    """In a process of its own: devices are made once."""
    np.save(tmp_path / "album.npy", album)
    command = [sys.executable, "-c", SHARDED, str(tmp_path / "album.npy")]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    forced = {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    environment = {**os.environ, **forced, "PYTHONPATH": str(Path(jr.__file__).parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    devices, divisors, *losses = done.stdout.split()
    assert (devices, divisors) == ("4", "3")
    np.testing.assert_allclose(np.array(losses, float), train(affine_prior, album, KEY, SHORT).losses, rtol=1e-3)


def test_photographs_of_any_name_are_taken(tmp_path):
    for name in ("caf\udce9.png", "b.png"):  # one that is not UTF-8
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    found = photographs(tmp_path, (8, 8, 3))
    assert [item.path.name for item in found.items] == ["b.png", "caf\udce9.png"]
    assert len(found.digest) == 64


def test_held_out_error_is_zero_for_a_prior_that_knows_the_image():
    image = jnp.full((1, 8, 8, 3), 0.4)
    knowing = jr.gaussian_prior(image[0], 1e-6)
    error = single.held_out_error(knowing, image, jnp.asarray(500), KEY)
    np.testing.assert_allclose(error, 0, atol=1e-9)
    ignorant = jr.gaussian_prior(0 * image[0], 1e-6)
    _, of_image = single.held_out_error(ignorant, image, jnp.asarray(500), KEY)[0]
    assert float(of_image) == pytest.approx(0.16, rel=1e-3)
