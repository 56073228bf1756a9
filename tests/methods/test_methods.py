"""SHRED and BIRD on the closed-form prior: what they reach, and that they compose as pure functions."""

import dataclasses
import functools
import warnings
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxrestore as jr
from jaxrestore.diffusion.places import EMBEDDED
from jaxrestore.diffusion.tuned import Tuned, read_tuned
from jaxrestore.methods import PUBLISHED, settings_for
from jaxrestore.methods.operator_steps import for_any, gauss_newton
from jaxrestore.methods.settings import values_of

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
METHODS = {"shred": jr.shred, "bird": jr.bird}
KERNEL = jr.GaussianKernel(3, (1.0, 0.6))()
MASK = jr.Mask(np.arange(64).reshape(8, 8) % 3 > 0)
BLIND = jr.Blur(jr.SoftmaxKernel(3))
GAUSSIAN = jr.Blur(jr.GaussianKernel(3, unknown=True))
OPERATORS = {  # by the kind of problem that each makes
    "denoise": jr.Identity(),
    "inpaint": MASK,
    "compressed-sensing": jr.Mask(MASK.known, kind="compressed-sensing"),
    "super-resolution": jr.AveragePool(2),
    "blind-super-resolution": jr.Compose((GAUSSIAN, jr.AveragePool(2))),
    "deblur": jr.Blur(KERNEL, "circular"),
    "blind-deblur": GAUSSIAN,
    "blind-motion-deblur": BLIND,
    "nonuniform-deblur": jr.VaryingBlur((jr.SoftmaxKernel(3), jr.SoftmaxKernel(3)) * 2, (8, 8)),
    "jpeg": jr.Jpeg(95),  # a coarser one leaves too little of 8 x 8 pixels
    "derain": jr.RainLayer((8, 8), length=1.0),
    "exposure": jr.Tone(unknown=("stops",)),
    "colorize": jr.Grayscale(),
    "old-photo": jr.Compose((GAUSSIAN, jr.AveragePool(2), jr.Grayscale())),
    "tomography": jr.ParallelBeam(5),
    "operator": jr.Compose((jr.AveragePool(2), jr.Tone(unknown=("stops",)))),
}


def lasting(method, iterations):
    return dataclasses.replace(method, iterations=iterations)


@jax.jit
def measured_and_run(method, image, key):
    """A search for an image by what the method's own operator measures of it."""
    return jr.run(method, method.operator(image), key)


@pytest.fixture(scope="module")
def image(gaussian):
    return jr.unroll(gaussian, jax.random.normal(jax.random.key(9), gaussian.shape), clip=False)


@pytest.fixture(scope="session")
def flowers_settings(gaussian):
    """The closed-form prior with the embedded prior's settings."""
    return dataclasses.replace(gaussian, settings=read_tuned(EMBEDDED / "flowers64"))


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize(("name", "preset"), [("bird", "published"), ("shred", "prior")])
def test_every_method_lowers_the_data_term_of_every_kind_of_problem(flowers_settings, image, name, preset, kind):
    operator = OPERATORS[kind]
    settings = settings_for(name, kind, flowers_settings, preset)
    method = lasting(METHODS[name](flowers_settings, operator, settings=settings), 30)
    assert jr.operators.kind_of(operator) == kind
    result = measured_and_run(method, image, jax.random.key(0))
    history = np.asarray(result.history)
    assert history.shape == (30,)
    assert np.all(np.isfinite(result.image))
    assert history[1:].min() < history[0]


def test_an_operator_brings_the_priors_settings_for_its_kind_of_problem(flowers_settings, gaussian):
    """Rates, restarts and their combination, stopping rule and all; a keyword replaces one, and without a prior's settings
    there are the published ones."""
    inpaint, denoise = jr.bird(flowers_settings, MASK), jr.bird(flowers_settings, jr.Identity())
    assert (inpaint.iterations, inpaint.unroll.skip, inpaint.restarts, inpaint.combine) == (50, 333, 2, "mean")
    assert (denoise.iterations, denoise.unroll.skip, denoise.restarts) == (60, 100, 1)
    assert jr.bird(flowers_settings, jr.AveragePool(2)).restarts == 8
    assert jr.bird(flowers_settings, GAUSSIAN).operator_steps.every == 10
    assert len(jr.diip(flowers_settings).stop.rules) == 2
    changed = jr.bird(flowers_settings, MASK, restarts=5, stop=jr.plateau(), noise_lr=0.5)
    assert (changed.restarts, changed.iterations, changed.noise_lr) == (5, 50, 0.5)
    assert changed.stop == jr.plateau()
    plain = jr.bird(gaussian, MASK)
    assert (plain.iterations, plain.restarts) == (200, 1)
    np.testing.assert_allclose(plain.noise_lr, 0.01)


def test_shred_solves_a_consistent_linear_problem(gaussian, image):
    """Unclipped, the map is affine and the data term can reach zero: the image explains what was measured."""
    for operator in (OPERATORS["inpaint"], OPERATORS["super-resolution"]):
        method = jr.shred(
            gaussian,
            operator,
            noise_lr=0.1,
            loss="mean_square",
            decay="cosine",
            iterations=300,
            clip=False,
            grid="leading",
            gradient="frozen_v",
        )
        result = measured_and_run(method, image, jax.random.key(0))
        np.testing.assert_allclose(operator(result.image), operator(image), atol=2e-3)
        assert result.data_term < 1e-6


def test_bird_stays_on_the_sphere_and_shred_does_not(gaussian, image):
    for name, on_sphere in (("bird", True), ("shred", False)):
        method = METHODS[name](gaussian, OPERATORS["denoise"], noise_lr=0.1)
        state = jr.init(method, image, jax.random.key(0))
        for _ in range(3):
            state, _ = jr.step(method, state, image)
        radius = float(jnp.linalg.norm(state.noise)) / state.noise.size**0.5
        assert (abs(radius - 1) < 1e-5) == on_sphere


def test_batch_is_the_loop_and_each_image_is_alone(gaussian, image):
    method = jr.bird(gaussian, BLIND, operator_every=2, damping=1e-3, noise_lr=0.05, skip=200)
    y = jnp.stack([image, -image, 0.5 * image])
    key = jax.random.key(3)
    states = jr.init(method, y, key)
    for _ in range(3):
        states, iterates = jr.step(method, states, y)
    for i in range(3):
        state = jr.init(method, y[i], key)
        for _ in range(3):
            state, iterate = jr.step(method, state, y[i])
        np.testing.assert_allclose(states.noise[i], state.noise, atol=2e-4)
        np.testing.assert_allclose(iterates.image[i], iterate.image, atol=2e-4)
        np.testing.assert_allclose(states.unknown.kernel.logits[i], state.unknown.kernel.logits, atol=1e-3)
    one_key_each = jr.init(method, y, jax.random.split(key, 3))
    assert not jnp.allclose(one_key_each.noise[0], one_key_each.noise[1])


def test_vmap_over_noises_and_over_rates(gaussian, image):
    method = jr.bird(gaussian, OPERATORS["inpaint"], iterations=5)
    y = method.operator(image)
    keys = jax.random.split(jax.random.key(0), 3)
    rates = jnp.array([*[method.noise_lr] * 3, 0.003, 0.03])

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(None, None, 0, 0))
    def runs(method, y, key, rate):
        return jr.run(dataclasses.replace(method, noise_lr=rate), y, key)

    many, alone = runs(method, y, keys[jnp.array([0, 1, 2, 0, 0])], rates), jax.jit(jr.run)
    for i in range(3):
        np.testing.assert_allclose(many.image[i], alone(method, y, keys[i]).image, atol=1e-5)
    assert many.data_term[4] < many.data_term[3]


class Exposure(NamedTuple):
    """A user's operator, written on the spot."""

    log_gain: jax.Array
    unknown = ("log_gain",)

    def __call__(self, image):
        return jnp.exp(self.log_gain) * (image + 1) - 1


def test_a_users_operator_and_optimizer(gaussian, image):
    y = jax.jit(Exposure(jnp.log(0.5)).__call__)(image)
    method = jr.shred(
        gaussian, Exposure(jnp.zeros(())), clip=False, loss="mean_square", optimizer=optax.adam(0.03), iterations=300
    )
    result = jax.jit(jr.run)(method, y, jax.random.key(0))
    assert result.data_term < 1e-3
    assert result.operator.log_gain < -0.1


def mixing_network(parameters, x, t, label, key):
    """Every number of an image a mixture of all."""
    return jnp.reshape(x.reshape(len(x), -1) @ parameters["weights"], x.shape)


def test_two_methods_of_equal_shapes_compile_once_and_hold_no_weights(gaussian):
    def methods():
        for rate in (0.01, 0.02):
            weights = {"weights": jnp.eye(gaussian.parameters["mean"].size) * (0.5 + rate)}
            prior = jr.Prior(mixing_network, weights, gaussian.schedule, gaussian.shape)
            yield jr.bird(prior, jr.Identity(), noise_lr=rate, skip=250, iterations=2)

    y = jnp.zeros(gaussian.shape)
    with jax.numpy_dtype_promotion("standard"), warnings.catch_warnings():
        warnings.simplefilter("error")
        before = jax.config.jax_captured_constants_warn_bytes
        jax.config.update("jax_captured_constants_warn_bytes", 20_000)  # the weights are seven times that
        try:
            jr.step.clear_cache()
            run = jax.jit(jr.run)
            run.clear_cache()
            for method in methods():
                jr.step(method, jr.init(method, y, jax.random.key(0)), y)
                jr.restore(method, y, jax.random.key(0))
                run(method, y, jax.random.key(0))
            with pytest.raises(UserWarning, match="constants"):  # the check itself works
                jax.jit(lambda y: jr.run(method, y, jax.random.key(0)))(y)
        finally:
            jax.config.update("jax_captured_constants_warn_bytes", before)
    assert jr.step._cache_size() == run._cache_size() == 1


def test_published_settings_are_the_papers(gaussian):
    assert all("any" in table for table in PUBLISHED.values())
    assert jr.published("bird", "tomography") == jr.published("bird")
    assert jr.published("bird", "nonuniform-deblur").identity
    bird = jr.bird(gaussian, BLIND, settings=jr.published("bird", "blind-deblur"))
    unrolled = bird.unroll
    assert (bird.iterations, unrolled.skip, unrolled.grid, unrolled.clip) == (100, 100, "leading", True)
    np.testing.assert_allclose((bird.noise_lr, bird.operator_lr), (3e-3, 2e-4))
    shred = jr.shred(gaussian, OPERATORS["inpaint"], settings=jr.published("shred", "inpaint"))
    assert (shred.iterations, shred.unroll.grid, shred.unroll.clip, shred.loss) == (200, "trailing", False, "norm")


def test_presets_are_chosen_by_name(flowers_settings, gaussian):
    assert settings_for("bird", "inpaint", flowers_settings) == settings_for(
        "bird", "inpaint", flowers_settings, "prior"
    )
    assert settings_for("bird", "inpaint", gaussian) == jr.published("bird", "inpaint")
    assert settings_for("bird", "inpaint", flowers_settings, "general") == jr.published("bird")
    with pytest.raises(jr.InputError, match=r"'gaussian' has no settings for bird: `jaxrestore tune` finds them"):
        settings_for("bird", "inpaint", gaussian, "prior")
    with pytest.raises(jr.InputError, match="Unknown preset 'papper'; known: published, prior, general"):
        settings_for("bird", "inpaint", gaussian, "papper")
    with pytest.raises(jr.InputError, match="Unknown method 'brid'; known: bird"):
        jr.published("brid")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"noise_rate": 1.0}, "hold noise_rate; known: answer, boundary"),
        ({"noise_lr": "fast"}, "noise_lr can't be 'fast'"),
        ({"iterations": True}, "iterations can't be True"),
        ({"iterations": 1.5}, "iterations can't be 1.5"),
        ({"grid": "published"}, "grid can't be 'published'"),
        ({"stop": [3]}, r"stop can't be \(3,\)"),
    ],
)
def test_a_file_of_settings_is_checked(gaussian, values, sentence):
    prior = dataclasses.replace(gaussian, settings=Tuned.of({"bird": {"any": values}}))
    with pytest.raises(jr.InputError, match=f"The settings of the prior 'gaussian' for bird on inpaint.*{sentence}"):
        jr.bird(prior, MASK)


def test_settings_written_are_read_again(gaussian):
    for method, table in PUBLISHED.items():
        for settings in table.values():
            prior = dataclasses.replace(gaussian, settings=Tuned.of({method: {"any": values_of(settings)}}))
            assert settings_for(method, "any", prior, "prior") == settings


def test_the_embedded_settings_are_those_of_the_tuning_experiment(monkeypatch):
    monkeypatch.syspath_prepend(EXPERIMENTS)
    import flowers64_settings

    assert read_tuned(EMBEDDED / "flowers64") == flowers64_settings.table()


def test_wrong_settings_get_a_sentence(gaussian):
    with pytest.raises(TypeError, match="learning_rate"):
        jr.bird(gaussian, OPERATORS["denoise"], learning_rate=1.0)
    method = jr.bird(gaussian, OPERATORS["super-resolution"])
    with pytest.raises(jr.InputError, match=r"shape \(8, 8, 3\), but the operator makes \(4, 4, 3\)"):
        jr.init(method, jnp.zeros((8, 8, 3)), jax.random.key(0))
    with pytest.raises(jr.InputError, match="There is no stopping rule 'later'; there are: discrepancy, plateau"):
        jr.bird(gaussian, MASK, settings=jr.Settings(stop=({"rule": "later"},)))


def test_a_gauss_newton_step_is_the_damped_least_squares_solution():
    draw = np.random.default_rng(0)
    matrix, y = draw.standard_normal((30, 4), np.float32), draw.standard_normal(30, np.float32)
    start = {"a": np.ones(3, np.float32), "b": np.zeros(1, np.float32)}

    def predict(unknown):
        return matrix @ jnp.concatenate([unknown["a"], unknown["b"]])

    step = jax.jit(gauss_newton, static_argnums=0)
    for damping in (0.0, 0.5):
        found = step(predict, start, y, damping)
        flat = np.concatenate([start["a"], start["b"]])
        left = matrix.T @ matrix / 30 + damping * np.eye(4)
        wanted = flat + np.linalg.solve(left, matrix.T @ (y - matrix @ flat) / 30)
        np.testing.assert_allclose(np.concatenate([found["a"], found["b"]]), wanted, atol=1e-4)
    broken = step(lambda unknown: jnp.log(-unknown), np.ones(2, np.float32), np.ones(2, np.float32), 0.1)
    np.testing.assert_array_equal(broken, 1)  # no step rather than a bad one


def test_a_branch_stays_a_branch_under_any_number_of_vmaps():
    def program(due, x):
        return jax.lax.cond(for_any(due), jnp.sin, lambda x: x, x)

    due, x = jnp.zeros((2, 3), bool), jnp.ones((2, 3))
    assert "cond[" in str(jax.make_jaxpr(jax.vmap(jax.vmap(program)))(due, x))
    np.testing.assert_array_equal(jax.vmap(jax.vmap(program))(due, x), x)
    np.testing.assert_allclose(jax.vmap(program)(due.at[1].set(True)[:, 0], x[:, 0]), np.sin(1), rtol=1e-6)


def test_who_asks_for_an_operators_rate_or_optimizer_gets_it(flowers_settings):
    prior = flowers_settings
    assert jr.bird(prior, BLIND).operator_steps.every > 0
    assert jr.bird(prior, BLIND, operator_lr=0.1).operator_steps is None
    assert jr.bird(prior, BLIND, optimizer=optax.sgd(0.1)).operator_steps is None
    assert jr.bird(prior, BLIND, operator_lr=0.1, operator_every=3).operator_steps.every == 3


def test_alternating_updates_find_the_kernel_when_they_are_due(gaussian, image):
    true = jr.Blur(KERNEL, "circular")
    start = jr.Blur(jr.SoftmaxKernel(3, 0.5), "circular")
    method = jr.shred(
        gaussian,
        start,
        iterations=40,
        noise_lr=0.0,
        operator_every=5,
        operator_from=0.5,
        damping=1e-7,
    )
    y = true(method.generate(jax.random.normal(jax.random.key(0), (8, 8, 3))))  # the image is right from the start
    state, kernels = jr.init(method, y, jax.random.key(0)), []
    kernel = jax.jit(lambda iterate: method.operator_at(iterate).kernel())
    for _ in range(40):
        state, iterate = jr.step(method, state, y)
        kernels.append(np.asarray(kernel(iterate)))
    moved = [i for i in range(1, 40) if not np.array_equal(kernels[i], kernels[i - 1])]
    assert moved == [21, 26, 31, 36]  # after the steps number 20, 25, ..., counted from 0
    np.testing.assert_allclose(kernels[-1], KERNEL, atol=1e-2)
    assert np.abs(kernels[0] - KERNEL).max() > 0.05
