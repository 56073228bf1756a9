"""Deep image prior and SelfDeblur: what holds whatever the network makes of an image."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from killed import killed_and_started_again

import jaxrestore as jr
from jaxrestore.networks import Hourglass

SHAPE = (8, 8, 3)
KEY = jax.random.key(0)
MASK = jr.Mask(np.arange(64).reshape(8, 8) % 3 > 0)
BLUR = jr.Blur(jr.GeneratedKernel(3, jax.random.key(1), inputs=4, hidden=5), "circular")
SMALL = {"channels": 4, "levels": 1, "skip": 2, "inputs": 3, "iterations": 6}  # the same number: one program


def unevaluated(parameters, x, t):
    raise AssertionError("the prior was evaluated")


@pytest.fixture(scope="module")
def prior():
    """Of which nothing but the shape can be had."""
    return jr.Prior(unevaluated, None, jr.schedule.linear(), SHAPE)


@pytest.fixture(scope="module")
def images():
    smooth = np.cumsum(np.random.default_rng(0).standard_normal((2, *SHAPE), np.float32), axis=2)
    return jnp.asarray(0.9 * np.tanh(0.5 * smooth))


def fitted(prior, **settings):
    return jr.dip(prior, MASK, **{**SMALL, "average": 0.5, **settings})


def deblurring(prior, **settings):
    return jr.selfdeblur(prior, BLUR, **{**SMALL, "operator_lr": 0.01, **settings})


def iterates(method, y, number=6, key=KEY):
    """So many iterations, one program for all numbers of them."""
    state = jr.init(method, y, key)
    for _ in range(number):
        state, iterate = jr.step(method, state, y)
        yield iterate


def image_of(method, y):
    *_, last = iterates(method, y)
    return last.image


METHODS = {"dip": (fitted, MASK), "selfdeblur": (deblurring, jr.Blur(jr.GaussianKernel(3, (1.0, 0.6)), "circular"))}


@pytest.mark.parametrize("name", METHODS)
def test_it_learns_to_explain_what_was_measured(prior, images, name):
    make, truth = METHODS[name]
    method, y = make(prior), truth(images[0])
    first, *_, last = iterates(method, y, 150)
    assert last.data_term < 0.2 * first.data_term
    assert np.abs(last.image).max() <= 1
    operator = method.operator_at(last)
    np.testing.assert_allclose(last.data_term, np.mean((operator(last.image) - y) ** 2), atol=1e-6)
    if name == "selfdeblur":
        kernel = np.asarray(operator.kernel())
        np.testing.assert_allclose(kernel.sum(), 1, rtol=1e-5)
        assert kernel.min() >= 0
        assert np.abs(kernel - BLUR.kernel()).max() > 0.01
        np.testing.assert_array_equal(operator.kernel.code, BLUR.kernel.code)
    assert method.evaluations == 0


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_is_the_loop(prior, images, name):
    make, truth = METHODS[name]
    method, y, keys = make(prior), truth(images), jax.random.split(KEY, 2)
    *_, many = iterates(method, y, key=keys)
    for i in range(2):
        *_, alone = iterates(method, y[i], key=keys[i])
        np.testing.assert_allclose(many.image[i], alone.image, atol=1e-3)


def test_missing_pixels_are_no_part_of_the_loss(prior, images):
    """Whatever stands where nothing was measured, the image is the same."""
    method, y = fitted(prior), MASK(images[0])
    elsewhere = jnp.where(MASK.known > 0, y, jax.random.normal(KEY, SHAPE))
    np.testing.assert_array_equal(image_of(method, y), image_of(method, elsewhere))
    assert np.abs(image_of(method, -y) - image_of(method, y)).max() > 1e-3


def test_the_image_is_the_moving_average_of_outputs(prior, images):
    y, average = MASK(images[0]), None
    plain, smooth = (iterates(fitted(prior, average=weight), y) for weight in (0.0, 0.8))
    for output, iterate in zip(plain, smooth, strict=True):
        average = output.image if average is None else 0.8 * average + 0.2 * output.image
        np.testing.assert_allclose(iterate.image, average, atol=1e-5)
    assert np.abs(average - output.image).max() > 1e-4


def test_rates_are_halved_when_they_are_due(prior):
    """Under a gradient that stays the same, a step of Adam is as long as its rate."""
    settings = dataclasses.replace(jr.published("selfdeblur"), iterations=10, halved_at=(0.3, 0.6), lr=0.5)
    method = jr.selfdeblur(prior, BLUR, settings=settings)
    variables = {"weights": jnp.zeros(()), "operator": jnp.zeros(())}
    state, lengths = method._adam.init(variables), []
    for _ in range(10):
        updates, state = method._adam.update(jax.tree.map(jnp.ones_like, variables), state, variables)
        lengths.append([-float(updates["weights"]), -float(updates["operator"])])
    shares = np.array([1] * 3 + [0.5] * 3 + [0.25] * 4)
    np.testing.assert_allclose(lengths, shares[:, None] * np.array([0.5, 1e-4]), rtol=1e-4)


def test_the_variation_that_is_weighed_makes_it_flat(prior, images):
    deviations = []
    for weight in (0.0, 3.0):
        *_, last = iterates(fitted(prior, variation=weight, average=0.0), MASK(images[0]), 40)
        deviations.append(float(np.mean(np.abs(np.diff(last.image, axis=0)))))
    assert deviations[1] < 0.3 * deviations[0]


def test_a_batch_with_restarts_goes_on_from_a_checkpoint(prior, images, tmp_path):
    make, truth = METHODS["selfdeblur"]
    method, y = make(prior, restarts=2, combine="mean"), truth(images)
    whole = jr.restore(method, y, KEY, chunk_size=2)
    np.testing.assert_allclose(whole.image, np.mean(whole.restarts.image, 0), atol=1e-6)
    assert np.abs(whole.restarts.image[0] - whole.restarts.image[1]).max() > 1e-3
    again, iterations = killed_and_started_again(method, y, KEY, tmp_path)
    assert iterations == [6]
    np.testing.assert_allclose(again.restarts.image, whole.restarts.image, atol=1e-4)


def test_a_rule_ends_it(prior, images):
    method = fitted(prior, iterations=200, sigma_y=0.3, stop=jr.discrepancy(1.0))
    found = jax.jit(jr.run)(method, MASK(images[0]), KEY)
    assert found.iterations < 200
    assert found.data_term <= 0.09


def test_what_it_cannot_restore_is_said_before_it_starts(prior):
    with pytest.raises(jr.InputError, match="dip restores by a known operator, and of this Blur something is unknown"):
        jr.dip(prior, BLUR)
    odd = jr.gaussian_prior(jnp.zeros((8, 7, 3)), 1.0)
    for make, operator in ((jr.dip, jr.Identity()), (jr.selfdeblur, BLUR)):
        with pytest.raises(jr.InputError, match="halves the image, and 8 x 7 pixels can't be"):
            make(odd, operator)
        with pytest.raises(jr.InputError, match="sigma_y must be a number from 0 on"):
            make(prior, operator, sigma_y=-1.0)
        with pytest.raises(jr.InputError, match="average must lie between 0 and 1"):
            make(prior, operator, average=2.0)
        with pytest.raises(jr.InputError, match="needs derivatives of the operator"):
            make(prior, lambda image: jax.pure_callback(np.sin, jax.ShapeDtypeStruct(SHAPE, jnp.float32), image))
    assert jr.dip(prior, MASK).network.levels == 2  # of five, as many as leave 2 x 2 pixels
    with pytest.raises(jr.InputError, match="levels of an hourglass must be at least 1, not 0"):
        Hourglass(levels=0)
