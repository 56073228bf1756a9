"""DPIR against its recursion in closed form, and its blind sibling's search for a kernel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.diffusion.schedule import levels_grid
from jaxrestore.methods import kernel_search
from jaxrestore.operators import proximal
from jaxrestore.operators.blur import convolve

SPREAD = 0.3  # deviation of the Gaussian data
PRIOR = jr.gaussian_prior(jnp.zeros((8, 8, 3)), SPREAD)


def restored(method, y):
    return jr.restore(method, y, jax.random.key(0), progress=False)


@pytest.mark.parametrize("sigma_y", [0.0, 0.1])
def test_a_mask_is_filled_by_the_recursion_in_closed_form(sigma_y):
    known = (np.arange(64) % 3 > 0).reshape(8, 8)
    y = jnp.where(known[..., None], 0.4, 0.0) * jnp.ones(PRIOR.shape)
    numbers = {"strength": 0.5, "highest": 1.0, "lowest": 0.05, "floor": 0.02, "steps": 6}
    method = jr.dpir(PRIOR, jr.Mask(known), sigma_y=sigma_y, **numbers)
    told = sigma_y / known.mean() ** 0.5  # of a known pixel
    last = max(told, 0.05)
    alpha_bar = np.asarray(levels_grid(PRIOR.schedule, jnp.geomspace(1.0, last, 6)).alpha_bar, np.float64)
    x = np.zeros((2,))  # a missing pixel's, and a known one's
    for level in alpha_bar:
        variance = (1 - level) / level
        rho = 0.5 * max(told, 0.02) ** 2 / variance
        z = np.array([x[0], (0.4 + rho * x[1]) / (1 + rho)])
        x = z * SPREAD**2 / (SPREAD**2 + variance)
    x[1] = 0.4 if sigma_y == 0 else x[1]  # what has no noise is explained
    image = np.asarray(restored(method, y).image)
    np.testing.assert_allclose(image[~known], x[0], atol=1e-4)
    np.testing.assert_allclose(image[known], x[1], atol=1e-4)


def test_denoising_is_one_step_of_the_prior():
    y = jax.random.normal(jax.random.key(1), PRIOR.shape) * 0.4
    method = jr.dpir(PRIOR, jr.Identity(), sigma_y=0.2, kind="denoise")
    assert method.iterations * method.evaluations == 1
    level = float(levels_grid(PRIOR.schedule, jnp.array([0.2])).alpha_bar[0])
    expected = y * SPREAD**2 / (SPREAD**2 + (1 - level) / level)
    np.testing.assert_allclose(restored(method, y).image, jnp.clip(expected, -1, 1), atol=1e-5)


def test_batches_and_single_images_agree_and_keys_change_nothing():
    method = jr.dpir(PRIOR, jr.AveragePool(2), sigma_y=0.05, steps=4)
    y = jax.random.normal(jax.random.key(2), (2, 4, 4, 3)) * 0.3
    together = jr.restore(method, y, jax.random.key(3), progress=False).image
    np.testing.assert_allclose(together[1], restored(method, y[1]).image, atol=1e-5)


def test_a_jpegs_own_step_leads_to_what_the_codec_wrote_and_no_further():
    codec = jr.Jpeg(20)
    image = jax.random.uniform(jax.random.key(4), (32, 32, 3), minval=-0.7, maxval=0.7)
    smooth = convolve(image, jnp.full((5, 5), 1 / 25))
    y = codec(smooth)
    point = smooth + 0.1 * jax.random.normal(jax.random.key(5), smooth.shape)
    found = proximal(codec, point, y, 0.0)
    assert float(jnp.abs(found - y).max()) < float(jnp.abs(point - y).max())
    np.testing.assert_allclose(proximal(codec, found, y, 1.0), found, atol=1e-4)
    assert np.median(np.abs(codec(found) - y)) < 1e-5


def test_a_codecs_quality_is_read_once_and_said():
    clean = jax.random.uniform(jax.random.key(4), (32, 32, 3), minval=-0.7, maxval=0.7)
    prior = jr.gaussian_prior(jnp.zeros(clean.shape), SPREAD)
    method = jr.dpir(prior, jr.Jpeg(30, unknown=True), steps=2)
    found = restored(method, jr.Jpeg(10)(clean)).operator
    assert round(float(found.quality)) == 10


def test_what_it_cannot_do_is_said():
    with pytest.raises(jr.InputError, match="proximal step of its own, and this Tone is neither: take dps"):
        jr.dpir(PRIOR, jr.Tone())
    blur = jr.Blur(jr.SoftmaxKernel(3))
    with pytest.raises(jr.InputError, match="has one size alone: take photos"):
        jr.blind_dpir(PRIOR, blur)
    prior = jr.sized(jr.load_prior("photos"), 16, 16)
    with pytest.raises(jr.InputError, match="and this is a Identity: take blind_diffpir"):
        jr.blind_dpir(prior, jr.Identity())
    with pytest.raises(jr.InputError, match="restores images of 8 x 8 pixels, not of 16 x 16"):
        jr.sized(PRIOR, 16, 16)


def edges(side):
    """Rectangles of many sizes and shades."""
    random, image = np.random.default_rng(0), np.zeros((side, side, 3), np.float32)
    for _ in range(25):
        i, j = random.integers(0, side - 16, 2)
        image[i : i + random.integers(12, 60), j : j + random.integers(12, 60)] = random.uniform(-0.9, 0.9, 3)
    return jnp.asarray(image)


def test_a_kernel_is_found_from_edges():
    kernel = np.zeros((11, 11), np.float32)
    kernel[[3, 4, 5, 6, 7], [4, 4, 5, 6, 6]] = 0.2
    clean = edges(128)
    y = convolve(clean, jnp.asarray(kernel))
    prior = jr.sized(jr.load_prior("photos"), 128, 128)
    result = restored(jr.blind_dpir(prior, jr.Blur(jr.SoftmaxKernel(11)), steps=3), y)
    assert metrics.kernel_similarity(result.operator.kernel(), jnp.asarray(kernel)) > 0.8
    before, after = (metrics.psnr(*metrics.registered(image, clean)) for image in (y, result.image))
    assert after > before + 2


def test_the_search_for_a_kernel_costs_what_the_method_says(monkeypatch):
    method = jr.blind_dpir(jr.sized(jr.load_prior("photos"), 512, 768), jr.Blur(jr.SoftmaxKernel(27)))
    looked = []

    def counted(prior, x, t, alpha_bar):
        looked.append(x.size)
        return x

    monkeypatch.setattr(kernel_search, "denoised", counted)
    y = jax.ShapeDtypeStruct((512, 768, 3), jnp.float32)
    jax.eval_shape(lambda y: kernel_search.search_kernel(method.prior, y, 27), y)  # a size's turns are traced once
    turns = len(method.edges.deviations)
    assert turns * sum(looked) / (512 * 768 * 3) == pytest.approx(method.evaluations_before, rel=0.2)


def test_what_the_search_for_a_kernel_is_made_of():
    kernel = jnp.zeros((7, 7)).at[1:3, 1].set(0.45).at[5, 5].set(0.1 - 1e-3)
    kept = kernel_search._connected(kernel)
    assert kept[5, 5] == 0
    assert float(kept[1:3, 1].sum()) == pytest.approx(0.9)
    middle = kernel_search.centred(jnp.zeros((5, 5)).at[0, 1].set(1.0))
    assert middle[2, 2] == 1
    image = jax.random.normal(jax.random.key(6), (12, 10, 3))
    blur = jnp.zeros((3, 3)).at[1, 1].set(0.7).at[0, 1].set(0.3)
    y = convolve(image, blur, "circular")
    np.testing.assert_allclose(kernel_search.deconvolved(y, blur, 0 * image, 1e-9), image, atol=1e-4)


@pytest.mark.parametrize("sigmas", [(1.5, 0.8), (2.0, 2.0)])
def test_kernels_take_the_weights_of_others(sigmas):
    kernel = jr.GaussianKernel(15, sigmas, 0.4)
    fitted = jr.GaussianKernel(15, unknown=True).fitted(kernel())
    np.testing.assert_allclose(fitted(), kernel(), atol=2e-3)
    free = jr.SoftmaxKernel(15).fitted(kernel())
    np.testing.assert_allclose(free(), kernel(), atol=1e-4)
