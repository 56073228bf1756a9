import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore._pytree import replaced
from jaxrestore.diffusion.functions import of_five

predicted = jax.jit(jr.Prior.predict_noise)


def given_output(parameters, x, t, label, key):
    return parameters


def test_gaussian_prior_is_the_regression_of_the_noise(gaussian):
    """E[noise | x_t] leaves an error that is uncorrelated with x_t, and none where the data is a point."""
    draw = np.random.default_rng(0)
    mean, std = (np.asarray(gaussian.parameters[name]) for name in ("mean", "std"))
    levels = np.asarray(gaussian.schedule.alpha_bar)
    x0 = mean + std * draw.standard_normal((4000, 8, 8, 3), np.float32)
    noise = draw.standard_normal(x0.shape, np.float32)
    for t in (0, 300, 900):
        x = np.sqrt(levels[t]) * x0 + np.sqrt(1 - levels[t]) * noise
        error = noise - predicted(gaussian, x, t)
        assert abs(error.mean()) < 5e-3
        assert np.abs((error * x).mean(axis=0)).max() < 0.1
    point = jr.gaussian_prior(jnp.asarray(mean), 0.0)
    found = predicted(point, np.sqrt(levels[900]) * mean + np.sqrt(1 - levels[900]) * noise, 900)
    np.testing.assert_allclose(found, noise, atol=1e-3)


@pytest.mark.parametrize("prediction", ["noise", "x0", "v"])
@pytest.mark.parametrize("t", [10, 500, 990])
def test_what_the_network_predicts_is_converted_to_noise(gaussian, prediction, t):
    x0, noise = np.random.default_rng(0).standard_normal((2, 2, 8, 8, 3), np.float32)
    alpha_bar = np.asarray(gaussian.schedule.alpha_bar)[t]
    a, s = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
    truth = {"noise": noise, "x0": x0, "v": a * noise - s * x0}[prediction]
    prior = jr.Prior(given_output, jax.device_put(truth), gaussian.schedule, (8, 8, 3), prediction)
    np.testing.assert_allclose(predicted(prior, a * x0 + s * noise, t), noise, atol=2e-3)
    per_image = predicted(prior, a * x0 + s * noise, np.array([t, t]))
    np.testing.assert_allclose(per_image, noise, atol=2e-3)


def test_variance_output_is_kept_apart(gaussian):
    prior = jr.Prior(
        lambda p, x, t, label, key: jnp.concatenate([x, 7 + 0 * x], axis=-1), (), gaussian.schedule, (8, 8, 3)
    )
    noise, variance = prior.apply(jnp.ones((8, 8, 3)), 5)
    assert noise.shape == variance.shape == (8, 8, 3)
    assert jnp.all(variance == 7)
    assert gaussian.apply(jnp.ones((8, 8, 3)), 5)[1] is None


def test_unbatched_is_the_batch_of_one(tiny):
    x = jax.device_put(np.random.default_rng(0).standard_normal(tiny.shape, np.float32))
    np.testing.assert_allclose(tiny.predict_noise(x, 3), tiny.predict_noise(x[None], 3)[0], atol=1e-6)


def test_unfit_functions_are_refused(gaussian):
    with pytest.raises((ValueError, TypeError), match="prediction"):
        jr.Prior(lambda *a: a[1], (), gaussian.schedule, (8, 8, 3), "score")
    with pytest.raises(jr.InputError, match=r"shape must be \(height, width, channels\), not \(8, 8\)"):
        replaced(gaussian, shape=(8, 8)).__post_init__()  # the constructor's signature says so, too
    grey = replaced(gaussian, network=lambda *a: a[1][..., :1])
    with pytest.raises(jr.InputError, match="gives 1 channels for images of 3"):
        grey.predict_noise(jnp.ones((8, 8, 3)), 3)


def needs_weights(parameters, x, t):
    return x * parameters["weights"]


WRONG = {
    "of two arguments": (
        lambda parameters, x: x,
        r"takes \(parameters, x\)\. A network is a pure function \(parameters, x, t\)",
    ),
    "of a keyword": (lambda parameters, x, t, *, size: x, "takes .*size"),
    "without its weights": (needs_weights, r"on x \[2, 8, 8, 3\] \(KeyError: 'weights'\)"),
    "channels first": (lambda parameters, x, t: jnp.moveaxis(x, -1, 1), r"gives \[2, 3, 8, 8\] for x \[2, 8, 8, 3\]"),
    "too few channels": (lambda parameters, x, t: x[..., :1], r"gives \[2, 8, 8, 1\] for"),
    "one number": (lambda parameters, x, t: x.mean(), r"gives \[\] for"),
    "two results": (lambda parameters, x, t: (x, x), "gives a tuple for"),
    "nothing": (lambda parameters, x, t: None, "gives a NoneType for"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_function_that_is_no_network_is_refused_when_the_prior_is_made(name, gaussian):
    network, words = WRONG[name]
    with pytest.raises(jr.InputError, match=words) as error:
        jr.Prior(network, {}, gaussian.schedule, (8, 8, 3))
    assert "A network is a pure function (parameters, x, t)" in str(error.value)
    with pytest.raises(jr.InputError, match="must be a function, not 3"):
        of_five(3)


def test_networks_of_three_four_and_five_arguments(gaussian):
    x = jnp.ones((2, 8, 8, 3))
    three = jr.Prior(lambda parameters, x, t: 2 * x, (), gaussian.schedule, (8, 8, 3))
    four = jr.Prior(lambda p, x, t, label=None: x if label is None else label * x, (), gaussian.schedule, (8, 8, 3))
    assert jnp.all(three.predict_noise(x, 3) == 2)
    assert jnp.all(four.predict_noise(x, 3, jnp.int32(5)) == 5)
    again = dataclasses.replace(three, name="another")
    assert again.network == three.network  # or programs would be compiled anew
    with pytest.raises(jr.InputError, match="knows no classes"):
        three.predict_noise(x, 3, jnp.int32(5))
    for make, words in (
        (lambda f: jr.denoiser_prior(f, None, (8, 8, 3), (0.1, 80.0)), r"A denoiser is .* \(parameters, x, sigma\)"),
        (lambda f: jr.flow_prior(f, None, (8, 8, 3)), r"A velocity is .* \(parameters, x, time\)"),
    ):
        with pytest.raises(jr.InputError, match=words):
            make(lambda parameters, x: x)


def test_a_network_is_not_evaluated_to_be_checked(gaussian):
    def never(x):
        raise AssertionError

    def network(parameters, x, t):
        return jax.pure_callback(never, x, x)

    assert jr.Prior(network, (), gaussian.schedule, (8, 8, 3)).shape == (8, 8, 3)
