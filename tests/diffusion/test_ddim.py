"""The unroll and its inverse on the closed-form prior, and the promises about their derivative and programs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr

GRIDS = ["trailing", "leading", "linspace"]


def affine_map(prior, skip, grid):
    """(offset, slope) of the unclipped unroll of the Gaussian prior, in float64."""
    levels = np.asarray(prior.schedule.alpha_bar, np.float64)[jr.schedule.grid_times(len(prior.schedule), skip, grid)]
    mean, std = (np.asarray(prior.parameters[name], np.float64) for name in ("mean", "std"))
    offset, slope = np.zeros_like(mean), np.ones_like(mean)
    for ab, ab_next in zip(levels, [*levels[1:], 1.0], strict=True):
        gain = np.sqrt(1 - ab) / (ab * std**2 + 1 - ab)  # noise = gain (x - sqrt(ab) mean)
        scale = np.sqrt(ab_next / ab) * (1 - np.sqrt(1 - ab) * gain) + np.sqrt(1 - ab_next) * gain
        shift = (np.sqrt(ab_next / ab) * np.sqrt(1 - ab) - np.sqrt(1 - ab_next)) * gain * np.sqrt(ab) * mean
        offset, slope = scale * offset + shift, scale * slope
    return offset, slope


@pytest.fixture(scope="module")
def noise():
    return jax.random.normal(jax.random.key(1), (8, 8, 3))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("skip", [50, 100, 200])
def test_unroll_is_the_affine_map(gaussian, noise, skip, grid):
    offset, slope = affine_map(gaussian, skip, grid)
    image = jr.unroll(gaussian, noise, skip=skip, grid=grid, clip=False)
    np.testing.assert_allclose(image, offset + slope * noise, atol=2e-4)


@functools.partial(jax.jit, static_argnums=(2, 3))
def image_and_slope(prior, noise, clip, gradient):
    """The unrolled image, and the derivative of its sum."""
    image, pullback = jax.vjp(lambda z: jr.unroll(prior, z, clip=clip, gradient=gradient), noise)
    return image, pullback(jnp.ones_like(image))[0]


def test_full_gradient_is_the_slope(gaussian, noise):
    slope = affine_map(gaussian, 100, "leading")[1]
    gradient = image_and_slope(gaussian, noise, False, "full")[1]
    np.testing.assert_allclose(gradient, slope, rtol=1e-3)


@pytest.mark.parametrize(("skip", "product"), [(200, 25.8), (100, 60.83), (50, 97.1), (10, 143.8)])
def test_frozen_gradient_is_the_product_of_the_steps(gaussian, noise, skip, product):
    """Published grid, nothing clipped: each step passes sqrt(alpha_bar_next / alpha_bar)."""
    gradient = jax.grad(lambda z: jnp.sum(jr.unroll(gaussian, z, skip=skip, clip=False)))(noise)
    np.testing.assert_allclose(gradient, product, rtol=2e-3)


@pytest.mark.parametrize("gradient", ["frozen_v", "frozen_x0"])
def test_other_readings_of_frozen_give_the_same_image_and_their_own_number(gaussian, noise, gradient):
    """Nothing clipped: v constant passes the cosine of the step's angle, x0 constant the ratio of the noise's deviations."""
    grid = jr.schedule.time_grid(gaussian.schedule, 100, "leading")
    ab, ab_next = np.asarray(grid.alpha_bar, np.float64), np.asarray(grid.alpha_bar_next, np.float64)
    cosines = np.sqrt(ab * ab_next) + np.sqrt((1 - ab) * (1 - ab_next))
    ratios = np.sqrt((1 - ab_next[:-1]) / (1 - ab[:-1])) if gradient == "frozen_x0" else cosines
    product = np.prod(ratios) * (1 / np.sqrt(ab[-1]) if gradient == "frozen_x0" else 1)
    image, slope = image_and_slope(gaussian, noise, False, gradient)
    np.testing.assert_allclose(image, jr.unroll(gaussian, noise, clip=False), atol=1e-4)
    np.testing.assert_allclose(slope, product, rtol=2e-3)
    clipped, slope = image_and_slope(gaussian, 4 * noise, True, gradient)
    np.testing.assert_allclose(clipped, jr.unroll(gaussian, 4 * noise), atol=1e-4)
    if gradient == "frozen_v":  # clipped or not
        np.testing.assert_allclose(slope, product, rtol=2e-3)
    else:
        assert np.all((slope == 0) == (np.abs(clipped) == 1))


def test_clipped_image_is_in_range_and_its_gradient_stops_where_the_last_step_clips(gaussian, noise):
    image, gradient = map(np.asarray, image_and_slope(gaussian, 4 * noise, True, "frozen"))
    assert np.max(np.abs(image)) == 1
    assert np.all(np.where(np.abs(image) == 1, gradient == 0, gradient > 0))


@pytest.mark.parametrize("grid", GRIDS)
def test_inversion_gives_the_noise_back(gaussian, noise, grid):
    image = jr.unroll(gaussian, noise, skip=50, grid=grid, clip=False)
    errors = []
    for refinements in (0, 2, 12):
        found = jr.invert(gaussian, image, skip=50, grid=grid, refinements=refinements)
        errors.append(np.abs(jr.unroll(gaussian, found, skip=50, grid=grid, clip=False) - image).max())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 2e-3


def test_batches_vmap_and_jit_agree_with_one_image(tiny):
    noise = jax.device_put(np.random.default_rng(2).standard_normal((3, *tiny.shape), np.float32))
    single = np.stack([jr.unroll(tiny, z, skip=250) for z in noise])
    mapped = jax.jit(jax.vmap(lambda prior, z: jr.unroll(prior, z, skip=250), (None, 0)))
    np.testing.assert_allclose(jr.unroll(tiny, noise, skip=250), single, atol=2e-5)
    np.testing.assert_allclose(mapped(tiny, noise), single, atol=2e-5)


def live_equations(jaxpr):
    """The equations that the outputs depend on: tracing leaves dead ones, which no program keeps."""
    needed, live = {id(v) for v in jaxpr.outvars}, []
    for equation in reversed(jaxpr.eqns):
        if any(id(v) in needed for v in equation.outvars):
            live.append(equation)
            needed |= {id(v) for v in equation.invars}
    return live


def count(jaxpr, primitive):
    """How often a program runs a primitive, a scan's body counted once per trip."""
    total = 0
    for equation in live_equations(jaxpr):
        total += equation.primitive.name == primitive
        trips = equation.params["length"] if equation.primitive.name == "scan" else 1
        for part in jax.tree.leaves(equation.params, is_leaf=lambda p: hasattr(p, "eqns") or hasattr(p, "jaxpr")):
            inner = getattr(part, "jaxpr", part)
            total += trips * count(inner, primitive) if hasattr(inner, "eqns") else 0
    return total


@pytest.mark.parametrize(("gradient", "calls"), [("frozen", 10), ("frozen_v", 10), ("frozen_x0", 10), ("full", 20)])
def test_network_calls_of_value_and_gradient(gaussian, noise, gradient, calls):
    """Frozen: one a step, the backward pass is free of the network. Full: each is evaluated again on the way back."""

    def network(parameters, x, t, label, key):
        return jnp.tanh(x)  # whose derivative needs no second tanh: each is one evaluation

    prior = jr.Prior(network, (), gaussian.schedule, (8, 8, 3))

    def loss(z):
        return jnp.sum(jr.unroll(prior, z, gradient=gradient) ** 2)

    assert count(jax.make_jaxpr(loss)(noise).jaxpr, "tanh") == 10
    assert count(jax.make_jaxpr(jax.value_and_grad(loss))(noise).jaxpr, "tanh") == calls


def test_program_does_not_grow_with_the_steps(gaussian, noise):
    def size(skip):
        return len(jax.jit(lambda z: jr.unroll(gaussian, z, skip=skip)).lower(noise).as_text().splitlines())

    assert size(100) == size(10)


def test_unknown_names_are_refused(gaussian, noise):
    with pytest.raises((ValueError, TypeError), match="gradient"):  # the tests' type checker may be the first to refuse
        jr.unroll(gaussian, noise, gradient="none")
    with pytest.raises((ValueError, TypeError), match="grid"):
        jr.unroll(gaussian, noise, grid="none")
