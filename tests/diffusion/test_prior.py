import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore._pytree import replaced

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
    prior = jr.Prior(lambda *a: a[1][..., :1], (), gaussian.schedule, (8, 8, 3))
    with pytest.raises(ValueError, match="channels"):
        prior.predict_noise(jnp.ones((8, 8, 3)), 3)
