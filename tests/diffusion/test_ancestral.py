"""Ancestral sampling against the published code's numbers, and against the closed-form prior."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden_files import arrays, config, prior, relative_error

import jaxrestore as jr
from jaxrestore.diffusion import ancestral

DATA = arrays("ancestral", "steps.npz")
SCHEDULES = {"linear": jr.schedule.linear(), "cosine": jr.schedule.cosine()}


@pytest.fixture(scope="module")
def unet():
    about = config("adm_uncond")
    return prior(about, about["tensors"])


@pytest.fixture(params=SCHEDULES)
def named(request, unet):
    def wanted(name):
        array = DATA[f"{request.param}.{name}"]
        return jax.device_put(np.moveaxis(array, -3, -1) if array.ndim == 4 else array)

    return dataclasses.replace(unet, schedule=SCHEDULES[request.param]), wanted


def test_schedules_are_the_published_ones():
    for name, schedule in SCHEDULES.items():
        np.testing.assert_allclose(schedule.alpha_bar, DATA[f"{name}.alphas_cumprod"], rtol=1e-6)


def test_one_step(named):
    prior, wanted = named
    found = ancestral.predict(prior, wanted("x_nchw"), wanted("t"))
    assert relative_error(found.mean, wanted("mean")) < 1e-4
    assert relative_error(found.x0, wanted("pred_xstart")) < 1e-4
    np.testing.assert_allclose(found.log_variance, wanted("log_variance"), atol=2e-3)


def test_losses(named):
    prior, wanted = named
    found = ancestral.hybrid_loss(prior, wanted("train_x0"), wanted("train_noise"), wanted("t"))
    np.testing.assert_allclose(found.mean_square, wanted("train_mse"), rtol=1e-4)
    np.testing.assert_allclose(found.bound, wanted("train_vb"), rtol=2e-3)
    np.testing.assert_allclose(found.total, wanted("train_loss"), rtol=2e-3)


def test_ddim_and_its_published_inverse(named):
    prior, wanted = named
    image = wanted("ddim10_sample")
    found = jr.unroll(prior, wanted("ddim10_noise"), skip=100, grid="leading", clip=False)
    assert relative_error(found, image) < 1e-4
    times = np.sort(DATA["linear.ddim10_timesteps"])
    np.testing.assert_array_equal(times[::-1], jr.schedule.grid_times(1000, 100, "leading"))
    x, levels = np.asarray(image), np.append(np.asarray(prior.schedule.alpha_bar)[times], np.float32(0))
    for i, t in enumerate(times):  # it takes the image for x_0 and the noise predicted at the last time for the inverse
        eps = np.asarray(prior.predict_noise(jax.device_put(x), jnp.int32(t)))
        x0 = (x - np.sqrt(1 - levels[i]) * eps) / np.sqrt(levels[i])
        x = np.sqrt(levels[i + 1]) * x0 + np.sqrt(1 - levels[i + 1]) * eps
    assert relative_error(x, wanted("ddim10_reverse")) < 1e-4


def test_steps_reach_the_data_of_a_closed_form_prior(gaussian):
    """Ancestral sampling draws x0 from N(mean, std^2)."""
    start = np.random.default_rng(0).standard_normal((128, 8, 8, 3), np.float32)

    @jax.jit
    def sample(x):
        def step(i, x):
            key = jax.random.fold_in(jax.random.key(1), i)
            return ancestral.ancestral_step(gaussian, x, 999 - i, key, "fixed_small", clip=False)

        return jax.lax.fori_loop(0, 1000, step, x)

    mean, std = (np.asarray(gaussian.parameters[name]) for name in ("mean", "std"))
    standard = (np.asarray(sample(start)) - mean) / std
    assert abs(standard.mean()) < 0.02
    assert abs(standard.std() - 1) < 0.03


def test_the_posterior_of_the_truth_is_where_the_process_was():
    """x_{t-1} drawn from q(x_{t-1} | x_t, x_0) has the moments of q(x_{t-1} | x_0)."""
    schedule, t = jr.schedule.linear(), 300
    levels = np.asarray(schedule.alpha_bar)
    x0 = np.full((4096, 1, 1, 1), 0.3, np.float32)
    noise = np.random.default_rng(0).standard_normal(x0.shape, np.float32)
    x = np.sqrt(levels[t]) * x0 + np.sqrt(1 - levels[t]) * noise
    found = jax.tree.map(np.asarray, jax.jit(ancestral.posterior)(schedule, x0, x, t))
    assert abs(found.mean.mean() - 0.3 * levels[t - 1] ** 0.5) < 0.03
    total = found.mean.var() + np.exp(found.log_variance).mean()
    assert abs(total / (1 - levels[t - 1]) - 1) < 0.06


def test_what_a_network_cannot_give_is_refused(gaussian):
    x = jnp.zeros((1, 8, 8, 3))
    with pytest.raises(ValueError, match="no variance output"):
        ancestral.predict(gaussian, x, jnp.asarray(3))
    predict = jax.jit(ancestral.predict, static_argnums=3)
    large, small = (predict(gaussian, x, jnp.asarray(500), v) for v in ("fixed_large", "fixed_small"))
    assert float(large.log_variance.squeeze()) > float(small.log_variance.squeeze())
