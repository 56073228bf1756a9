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
from jaxrestore.cli.tasks import TASKS, TaskOptions, task_operator
from jaxrestore.methods.operator_steps import for_any, gauss_newton
from jaxrestore.methods.settings import PRESETS, TASK_NAMES, settings_name

METHODS = {"shred": jr.shred, "bird": jr.bird}
KERNEL = jr.operators.GaussianKernel.create(3, (1.0, 0.6))()
MASK = jr.operators.Mask.create(np.arange(64).reshape(8, 8) % 3 > 0)
OPERATORS = {
    "denoise": jr.operators.Identity(),
    "inpaint": MASK,
    "compressed-sensing": MASK,
    "super-resolution": jr.operators.AveragePool(2),
    "deblur": jr.operators.Blur.create(KERNEL, "circular"),
    "motion-deblur": jr.operators.Blur.create(KERNEL),
    "jpeg": jr.operators.Jpeg.create(95),  # a coarser one leaves too little of 8 x 8 pixels
    "operator": jr.operators.Compose((jr.operators.AveragePool(2), jr.operators.Tone.create(unknown=("stops",)))),
}
BLIND = jr.operators.Blur.create(jr.operators.SoftmaxKernel.create(3))


def operator_of(task, settings):
    """Those that need a file are above; the others are what the command line makes."""
    if task in OPERATORS:
        return OPERATORS[task]
    return task_operator(task, (8, 8), settings, TaskOptions(scale=2, kernel_size=3, views=5))


@pytest.fixture
def image(gaussian):
    return jr.unroll(gaussian, jax.random.normal(jax.random.key(9), gaussian.shape), clip=False)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("name", "preset"), [("bird", "paper"), ("shred", "flowers64")])
def test_every_method_lowers_the_data_term_of_every_task(gaussian, image, name, task, preset):
    method = METHODS[name](
        gaussian,
        operator_of(task, jr.preset(name, settings_name(task), preset)),
        task=settings_name(task),
        preset=preset,
    )
    y = method.operator(image)
    result = jax.jit(jr.run, static_argnames="iterations")(method, y, jax.random.key(0), iterations=30)
    assert result.history.shape == (30,)
    assert jnp.all(jnp.isfinite(result.image))
    assert jnp.min(result.history[1:]) < result.history[0]


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
    method = jr.bird(gaussian, BLIND, task="blind-deblur", operator_every=2, damping=1e-3)
    y = jnp.stack([image, -image, 0.5 * image])
    key = jax.random.key(3)
    states = jr.init(method, key, y)
    for _ in range(3):
        states, iterates = jr.step(method, states, y)
    for i in range(3):
        state = jr.init(method, key, y[i])
        for _ in range(3):
            state, iterate = jr.step(method, state, y[i])
        np.testing.assert_allclose(states.noise[i], state.noise, atol=2e-4)
        np.testing.assert_allclose(iterates.image[i], iterate.image, atol=2e-4)
        np.testing.assert_allclose(states.unknown.kernel.logits[i], state.unknown.kernel.logits, atol=1e-3)
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
    assert {"any", *TASKS} >= set(TASK_NAMES)
    assert all("any" in tasks for presets in PRESETS.values() for tasks in presets.values())
    assert jr.preset("bird", "tomography") == PRESETS["bird"]["paper"]["any"]
    assert isinstance(operator_of("nonuniform-deblur", jr.preset("bird", "nonuniform-deblur")), jr.operators.Identity)
    bird = jr.bird(gaussian, BLIND, task="blind-deblur", preset="paper")
    assert (bird.iterations, bird.skip, bird.grid, bird.clip, bird.sphere) == (100, 100, "published", True, True)
    np.testing.assert_allclose((bird.noise_lr, bird.operator_lr), (3e-3, 2e-4))
    shred = jr.shred(gaussian, OPERATORS["inpaint"], task="inpaint", preset="paper")
    assert (shred.iterations, shred.grid, shred.clip, shred.loss, shred.sphere) == (200, "paper", False, "norm", False)


def test_wrong_settings_get_a_sentence(gaussian):
    with pytest.raises(TypeError, match="no setting learning_rate; it has: noise_lr"):
        jr.bird(gaussian, OPERATORS["denoise"], learning_rate=1.0)
    with pytest.raises(ValueError, match="Unknown task 'sharpen'; known: any"):
        jr.bird(gaussian, OPERATORS["denoise"], task="sharpen")
    with pytest.raises(ValueError, match="Unknown preset 'papper' of bird; known: paper, flowers64"):
        jr.bird(gaussian, OPERATORS["denoise"], preset="papper")
    method = jr.bird(gaussian, OPERATORS["super-resolution"], task="super-resolution")
    with pytest.raises(ValueError, match=r"shape \(8, 8, 3\), but the operator makes \(4, 4, 3\)"):
        jr.init(method, jax.random.key(0), jnp.zeros((8, 8, 3)))


def test_a_gauss_newton_step_is_the_damped_least_squares_solution():
    key_a, key_y = jax.random.split(jax.random.key(0))
    matrix, y = jax.random.normal(key_a, (30, 4)), jax.random.normal(key_y, (30,))
    start = {"a": jnp.ones(3), "b": jnp.zeros(1)}

    def predict(unknown):
        return matrix @ jnp.concatenate([unknown["a"], unknown["b"]])

    for damping in (0.0, 0.5):
        found = gauss_newton(predict, start, y, damping)
        flat = np.concatenate([start["a"], start["b"]])
        left = matrix.T @ matrix / 30 + damping * np.eye(4)
        wanted = flat + np.linalg.solve(left, matrix.T @ (y - matrix @ flat) / 30)
        np.testing.assert_allclose(np.concatenate([found["a"], found["b"]]), wanted, atol=1e-4)
    broken = gauss_newton(lambda unknown: jnp.log(-unknown), jnp.ones(2), jnp.ones(2), 0.1)
    np.testing.assert_array_equal(broken, 1)  # no step rather than a bad one


def test_a_branch_stays_a_branch_under_any_number_of_vmaps():
    def program(due, x):
        return jax.lax.cond(for_any(due), jnp.sin, lambda x: x, x)

    due, x = jnp.zeros((2, 3), bool), jnp.ones((2, 3))
    assert "cond[" in str(jax.make_jaxpr(jax.vmap(jax.vmap(program)))(due, x))
    np.testing.assert_array_equal(jax.vmap(jax.vmap(program))(due, x), x)
    np.testing.assert_allclose(jax.vmap(program)(due.at[1].set(True)[:, 0], x[:, 0]), np.sin(1), rtol=1e-6)


def test_who_asks_for_an_operators_rate_or_optimizer_gets_it(gaussian):
    tuned = {"task": "blind-deblur", "preset": "flowers64"}
    assert jr.bird(gaussian, BLIND, **tuned).operator_every > 0
    assert jr.bird(gaussian, BLIND, operator_lr=0.1, **tuned).operator_every == 0
    assert jr.bird(gaussian, BLIND, optimizer=optax.sgd(0.1), **tuned).operator_every == 0
    assert jr.bird(gaussian, BLIND, operator_lr=0.1, operator_every=3, **tuned).operator_every == 3


def test_alternating_updates_find_the_kernel_when_they_are_due(gaussian, image):
    true = jr.operators.Blur.create(KERNEL, "circular")
    start = jr.operators.Blur.create(jr.operators.SoftmaxKernel.create(3), "circular")
    method = jr.shred(
        gaussian,
        start,
        task="blind-deblur",
        iterations=40,
        noise_lr=0.0,
        operator_every=5,
        operator_from=0.5,
        damping=1e-7,
    )
    y = true(method.generate(jax.random.normal(jax.random.key(0), (8, 8, 3))))  # the image is right from the start
    state, kernels = jr.init(method, jax.random.key(0), y), []
    for _ in range(40):
        state, iterate = jr.step(method, state, y)
        kernels.append(method.operator_at(iterate).kernel())
    moved = [i for i in range(1, 40) if not np.array_equal(kernels[i], kernels[i - 1])]
    assert moved == [21, 26, 31, 36]  # after the steps number 20, 25, ..., counted from 0
    np.testing.assert_allclose(kernels[-1], KERNEL, atol=1e-2)
    assert np.abs(kernels[0] - KERNEL).max() > 0.05
