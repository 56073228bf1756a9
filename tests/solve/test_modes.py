"""Restorations in processes that ask more of JAX than is usual: other types, no implicit promotions, no NaN, no jit."""

import contextlib
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.solve.search import typed_keys


@contextlib.contextmanager
def no_promotions():
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


STRICT = {"64 bits": lambda: jax.enable_x64(True), "no promotions": no_promotions}
MODES = {"as usual": contextlib.nullcontext, "no NaN": lambda: jax.debug_nans(True), **STRICT}
Y = np.full((4, 4, 3), 0.1, np.float32)
KEY = jax.random.key(0)
SMALL = {"iterations": 3, "skip": 500}


@pytest.fixture(scope="module")
def prior():
    return jr.gaussian_prior(jnp.linspace(-0.4, 0.5, 192).reshape(8, 8, 3), 0.3)


@pytest.fixture(scope="module")
def stopped(prior):
    """A search that ends before its iterations are spent, and of which there is a mean."""
    stop = jr.any_of(jr.plateau(0.99, 1), jr.flat_variance(2, 9), jr.discrepancy(0.1))
    return jr.bird(prior, jr.AveragePool(2), restarts=2, combine="mean", stop=stop, sigma_y=0.01, **SMALL)


@pytest.fixture(scope="module")
def wanted(stopped):
    return jr.restore(stopped, Y, KEY)


@pytest.mark.parametrize("mode", MODES)
def test_a_restoration_is_the_same_in_every_mode(mode, stopped, wanted):
    with MODES[mode]():
        found = jr.restore(stopped, Y, KEY)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype("float32"), np.dtype("int32")}
    assert found.message == wanted.message == "the data term stopped falling at iteration 2"
    np.testing.assert_allclose(found.image, wanted.image, atol=1e-5)
    assert found.score is None
    assert np.all(np.isfinite(found.history))
    assert found.history[2] == found.history[1]


@pytest.mark.slow
def test_a_restoration_without_jit(prior):
    method = jr.bird(prior, jr.AveragePool(2), iterations=2, skip=1000)
    with jax.disable_jit():
        found = jr.run(method, Y, KEY)
    np.testing.assert_allclose(found.image, jax.jit(jr.run)(method, Y, KEY).image, atol=1e-5)


def methods(prior):
    """A method of every kind, on operators of every kind; the shape of what they are told."""
    depths = jnp.array([100, 200], jnp.int32)
    typical = jr.NoiseStatistics(depths, *(jnp.ones((2, *s), jnp.float32) for s in ((8, 8, 3), (6, 3), (6, 3))), 2, 1)
    small, unknown = {"iterations": 3, "skip": 500}, {"unknown": True}
    kernel = jr.GaussianKernel(3, **unknown)
    for operator in (
        jr.Compose((jr.Blur(kernel), jr.Jpeg(30, **unknown), jr.Grayscale())),
        jr.Compose((jr.Tone(unknown=("stops",)), jr.Mask(jr.box_mask((8, 8), 3)), jr.Stride(2))),
        jr.Compose((jr.VaryingBlur([kernel] * 4, (8, 8)), jr.RainLayer((8, 8), length=1.0), jr.Bicubic(2))),
        jr.ParallelBeam(3),
    ):
        yield jr.bird(prior, operator, operator_every=1, damping=0.1, gradient="frozen_v", **small)
    yield jr.shred(prior, jr.Blur(jr.SoftmaxKernel(3)), gradient="full", decay="cosine", **small)
    yield jr.invert2restore(prior, jr.AveragePool(2), density=1e-4, density_decay="cosine", rectify_every=2, **small)
    yield jr.invert2restore(dataclasses.replace(prior, statistics=typical))
    yield jr.invert2restore(prior, settings=jr.published("invert2restore-literal"))
    yield jr.d_flow(prior, jr.Grayscale(), **small)
    yield jr.diip(prior, **small)
    yield jr.gen2res(prior, depth=9, steps=2)
    yield jr.dreamclean(prior, steps=2)
    mask, blur = jr.Mask(jr.box_mask((8, 8), 3)), jr.Blur(jr.GaussianKernel(3))
    yield jr.dps(prior, jr.Tone(), steps=2)
    yield jr.pigdm(prior, blur, steps=2)
    yield jr.ddnm(prior, blur, steps=2)
    yield jr.ddrm(prior, blur, steps=2)
    yield jr.diffpir(prior, jr.AveragePool(2), steps=2)
    yield jr.repaint(prior, mask, steps=2)
    yield jr.daps(prior, jr.Tone(), steps=2)
    yield jr.pnp_flow(prior, jr.Tone(), steps=2)
    yield jr.flowdps(prior, jr.Tone(), steps=2)
    yield jr.bird(jr.tiled(prior, 8, 16), jr.Identity(), **small)


@pytest.mark.slow
@pytest.mark.parametrize("mode", STRICT)
def test_every_method_is_traced_in_every_mode(mode, prior):
    with STRICT[mode]():
        for method in methods(prior):
            y = jax.eval_shape(method.operator, jax.ShapeDtypeStruct(method.prior.shape, jnp.float32))
            found = jax.eval_shape(jr.run, method, y, KEY)
            assert {leaf.dtype for leaf in jax.tree.leaves(found)} <= {np.dtype("float32"), np.dtype("int32")}


def test_keys_of_both_kinds_are_the_same_and_others_get_a_sentence(prior):
    method = jr.bird(prior, jr.AveragePool(2), iterations=2, skip=1000)
    typed, raw = jax.random.key(5), jax.random.PRNGKey(5)
    both = jnp.stack([Y, -Y])
    assert typed_keys(raw) == typed == typed_keys(typed)
    assert jax.eval_shape(jr.run, method, Y, raw) == jax.eval_shape(jr.run, method, Y, typed)
    np.testing.assert_array_equal(*(jr.restore(method, both, key).image for key in (raw, typed)))
    keys = [jax.random.split(key, 2) for key in (typed, raw)]
    np.testing.assert_array_equal(*(jr.restore(method, both, each).image for each in keys))
    np.testing.assert_array_equal(*(jr.init(method, both, each).noise for each in keys))
    for wrong in (0, None, jnp.float32(1), np.zeros(2, int), jnp.zeros((1, 3), jnp.uint32)):
        with pytest.raises(jr.InputError, match=r"A key is needed, as jax.random.key\(0\) makes it"):
            typed_keys(wrong)
    for call in (jr.restore, jr.run):
        with pytest.raises(jr.InputError, match="A key is needed"):
            call(method, Y, jnp.zeros(2, jnp.int32))


@pytest.mark.parametrize("y", [jnp.full((4, 4, 3), 0.1), Y.astype(np.float64), Y.astype(np.float16)])
def test_a_measurement_of_any_type_is_taken_as_float32(y, stopped, wanted):
    found = jr.restore(stopped, y, KEY).image
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted.image, atol=1e-3)
