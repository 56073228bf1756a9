"""SHRED and BIRD on the closed-form prior: what they reach, and that they compose as pure functions."""

import dataclasses
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxrestore as jr
from jaxrestore.presets import PRESETS, TASKS

METHODS = {"shred": jr.shred, "bird": jr.bird}
KERNEL = jr.operators.GaussianKernel.create(3, (1.0, 0.6))()
OPERATORS = {
    "denoise": jr.operators.Identity(),
    "inpaint": jr.operators.Mask.create(np.arange(64).reshape(8, 8) % 3 > 0),
    "super-resolution": jr.operators.AveragePool(2),
    "deblur": jr.operators.Blur.create(KERNEL, "circular"),
    "blind-deblur": jr.operators.Blur.create(jr.operators.SoftmaxKernel.create(3)),
}


@pytest.fixture
def image(gaussian):
    return jr.unroll(gaussian, jax.random.normal(jax.random.key(9), gaussian.shape), clip=False)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("preset", ["paper", "flowers64"])
def test_every_method_lowers_the_data_term_of_every_task(gaussian, image, name, task, preset):
    if preset not in PRESETS[name]:
        preset = None  # then the prior's name decides, and it has none: the paper's
    method = METHODS[name](gaussian, OPERATORS[task], task=task, preset=preset)
    y = method.operator(image)
    result = jax.jit(jr.run, static_argnames="iterations")(method, y, jax.random.key(0), iterations=30)
    assert result.history.shape == (30,)
    assert jnp.all(jnp.isfinite(result.image))
    assert result.history[-1] < result.history[0]


def test_shred_solves_a_consistent_linear_problem(gaussian, image):
    """Unclipped, the map is affine and the data term can reach zero: the image explains what was measured."""
    for operator in (OPERATORS["inpaint"], OPERATORS["super-resolution"]):
        method = jr.shred(
            gaussian, operator, noise_lr=0.1, loss="mean_square", decay="cosine", iterations=300, clip=False
        )
        y = operator(image)
        result = jr.run(method, y, jax.random.key(0))
        np.testing.assert_allclose(operator(result.image), y, atol=2e-3)
        assert result.data_term < 1e-6


def test_bird_stays_on_the_sphere_and_shred_does_not(gaussian, image):
    for name, on_sphere in (("bird", True), ("shred", False)):
        method = METHODS[name](gaussian, OPERATORS["denoise"], preset="paper", noise_lr=0.1)
        state = jr.init(method, jax.random.key(0), image)
        for _ in range(3):
            state, _ = jr.step(method, state, image)
        radius = float(jnp.linalg.norm(state.noise)) / state.noise.size**0.5
        assert (abs(radius - 1) < 1e-5) == on_sphere


def test_batch_is_the_loop_and_each_image_is_alone(gaussian, image):
    method = jr.bird(gaussian, OPERATORS["blind-deblur"], task="blind-deblur")
    y = jnp.stack([image, -image, 0.5 * image])
    key = jax.random.key(3)
    states = jr.init(method, key, y)
    for _ in range(3):
        states, iterates = jr.step(method, states, y)
    for i in range(3):
        state = jr.init(method, key, y[i])
        for _ in range(3):
            state, iterate = jr.step(method, state, y[i])
        np.testing.assert_allclose(states.noise[i], state.noise, atol=1e-5)
        np.testing.assert_allclose(iterates.image[i], iterate.image, atol=1e-5)
        np.testing.assert_allclose(states.unknown.kernel.logits[i], state.unknown.kernel.logits, atol=1e-5)
    one_key_each = jr.init(method, jax.random.split(key, 3), y)
    assert not jnp.allclose(one_key_each.noise[0], one_key_each.noise[1])


def test_vmap_over_noises_and_over_rates(gaussian, image):
    method = jr.bird(gaussian, OPERATORS["inpaint"], task="inpaint")
    y = method.operator(image)
    keys = jax.random.split(jax.random.key(0), 3)
    many = jax.jit(jax.vmap(lambda key: jr.run(method, y, key, iterations=5)))(keys)
    for i in range(3):
        np.testing.assert_allclose(many.image[i], jr.run(method, y, keys[i], iterations=5).image, atol=1e-5)
    rates = jnp.array([0.003, 0.03])
    runs = jax.vmap(lambda rate: jr.run(dataclasses.replace(method, noise_lr=rate), y, keys[0], iterations=5))(rates)
    assert runs.data_term[1] < runs.data_term[0]


class Exposure(NamedTuple):
    """A user's operator, written on the spot."""

    log_gain: jax.Array
    unknown = ("log_gain",)

    def __call__(self, image):
        return jnp.exp(self.log_gain) * (image + 1) - 1


def test_a_users_operator_and_optimizer(gaussian, image):
    y = Exposure(jnp.log(0.5))(image)
    method = jr.shred(gaussian, Exposure(jnp.zeros(())), clip=False, loss="mean_square", optimizer=optax.adam(0.03))
    result = jr.run(method, y, jax.random.key(0), iterations=300)
    assert result.data_term < 1e-3
    assert result.operator.log_gain < -0.1


def test_two_methods_of_equal_shapes_compile_once_and_hold_no_weights(tiny):
    def methods():
        for rate in (0.01, 0.02):
            parameters = jax.tree.map(lambda leaf, rate=rate: leaf + rate, tiny.parameters)
            yield jr.bird(
                dataclasses.replace(tiny, parameters=parameters), jr.operators.Identity(), noise_lr=rate, skip=250
            )

    y = jnp.zeros(tiny.shape)
    with jax.numpy_dtype_promotion("standard"), warnings.catch_warnings():
        warnings.simplefilter("error")
        before = jax.config.jax_captured_constants_warn_bytes
        jax.config.update("jax_captured_constants_warn_bytes", 20_000)  # the weights are three times that
        try:
            jr.step.clear_cache()
            run = jax.jit(jr.run, static_argnames="iterations")
            run.clear_cache()
            for method in methods():
                jr.step(method, jr.init(method, jax.random.key(0), y), y)
                jr.restore(method, y, jax.random.key(0), iterations=2)
                run(method, y, jax.random.key(0), iterations=2)
            with pytest.raises(UserWarning, match="constants"):  # the check itself works
                jax.jit(lambda y: jr.run(method, y, jax.random.key(0), iterations=2))(y)
        finally:
            jax.config.update("jax_captured_constants_warn_bytes", before)
    assert jr.step._cache_size() == run._cache_size() == 1


def test_presets_are_complete_and_the_papers(gaussian):
    for presets in PRESETS.values():
        assert all(set(tasks) == set(TASKS) for tasks in presets.values())
    bird = jr.bird(gaussian, OPERATORS["blind-deblur"], task="blind-deblur", preset="paper")
    assert (bird.iterations, bird.skip, bird.grid, bird.clip, bird.sphere) == (100, 100, "published", True, True)
    np.testing.assert_allclose((bird.noise_lr, bird.operator_lr), (3e-3, 2e-4))
    shred = jr.shred(gaussian, OPERATORS["inpaint"], task="inpaint", preset="paper")
    assert (shred.iterations, shred.grid, shred.clip, shred.loss, shred.sphere) == (200, "paper", False, "norm", False)


def test_wrong_settings_get_a_sentence(gaussian):
    with pytest.raises(TypeError, match="no setting learning_rate; it has: noise_lr"):
        jr.bird(gaussian, OPERATORS["denoise"], learning_rate=1.0)
    with pytest.raises(ValueError, match="Unknown task 'sharpen'"):
        jr.bird(gaussian, OPERATORS["denoise"], task="sharpen")
    with pytest.raises(ValueError, match="Unknown preset 'papper' of bird; known: paper, flowers64"):
        jr.bird(gaussian, OPERATORS["denoise"], preset="papper")
    method = jr.bird(gaussian, OPERATORS["super-resolution"], task="super-resolution")
    with pytest.raises(ValueError, match=r"shape \(8, 8, 3\), but the operator makes \(4, 4, 3\)"):
        jr.init(method, jax.random.key(0), jnp.zeros((8, 8, 3)))
