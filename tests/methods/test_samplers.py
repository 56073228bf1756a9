"""What holds for every method that walks down from pure noise through a known operator."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from killed import killed_and_started_again

import jaxrestore as jr
from jaxrestore.diffusion.tuned import Tuned

SAMPLERS = {
    "dps": jr.dps,
    "pigdm": jr.pigdm,
    "ddnm": jr.ddnm,
    "ddrm": jr.ddrm,
    "diffpir": jr.diffpir,
    "repaint": jr.repaint,
    "daps": jr.daps,
    "pnp-flow": jr.pnp_flow,
    "flowdps": jr.flowdps,
}
LINEAR = [name for name in SAMPLERS if name not in ("dps", "daps", "pnp-flow", "flowdps")]
MASK = jr.Mask(np.arange(64).reshape(8, 8) % 3 > 0)
KEY = jax.random.key(0)
NOISE = np.random.default_rng(8).standard_normal((3, 8, 8, 3), np.float32)
run = jax.jit(jr.run)


@pytest.fixture(scope="module")
def prior():
    return jr.gaussian_prior(jnp.full((8, 8, 3), 0.1), 0.2)


@pytest.fixture(scope="module")
def noisy():
    return jax.vmap(MASK)(jax.device_put(0.1 + 0.3 * NOISE))


FEW = {"repaint": {"steps": 4, "jump": 2, "repeats": 2}, "daps": {"steps": 6, "dynamics": 10}}


def made(name, prior, **settings):
    return SAMPLERS[name](prior, MASK, sigma_y=0.1, **{**FEW.get(name, {"steps": 6}), **settings})


@pytest.mark.parametrize("name", SAMPLERS)
def test_vmap_is_the_loop_and_jit_is_the_loop_by_hand(name, prior, noisy):
    method, keys = made(name, prior), jax.random.split(KEY, 3)
    many = jax.jit(jax.vmap(jr.run, in_axes=(None, 0, 0)))(method, noisy, keys)
    for i in range(3):
        alone = run(method, noisy[i], keys[i])
        np.testing.assert_allclose(many.image[i], alone.image, atol=1e-4)
    state = method.init(noisy[2], keys[2])
    for _ in range(method.iterations):
        state, iterate = method.step(state, noisy[2])
    np.testing.assert_allclose(iterate.image, alone.image, atol=1e-4)
    np.testing.assert_allclose(iterate.image, jnp.clip(state.x, -1, 1), atol=1e-6)
    np.testing.assert_allclose(iterate.data_term, np.mean((MASK(iterate.image) - noisy[2]) ** 2), atol=1e-6)
    assert np.abs(run(method, noisy[2], KEY).image - alone.image).max() > 0.01


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_batch_with_restarts_goes_on_from_a_checkpoint(name, prior, noisy, tmp_path):
    method = made(name, prior, restarts=2)
    whole = jr.restore(method, noisy, KEY, chunk_size=2)
    np.testing.assert_allclose(whole.image, np.mean(whole.restarts.image, 0), atol=1e-6)
    np.testing.assert_allclose(whole.restarts.image[0, 1], run(method, noisy[1], KEY).image, atol=1e-4)
    assert np.abs(whole.restarts.image[0] - whole.restarts.image[1]).max() > 0.01
    again, iterations = killed_and_started_again(method, noisy, KEY, tmp_path)
    assert iterations == [6]
    np.testing.assert_allclose(again.image, whole.image, atol=1e-4)


@pytest.mark.parametrize("name", SAMPLERS)
def test_it_says_how_many_evaluations_it_makes(name):
    calls = []

    def network(parameters, x, t):
        calls.extend([t] * len(x))
        return parameters["share"] * x

    prior = jr.Prior(network, {"share": jnp.float32(0.5)}, jr.schedule.linear(), (8, 8, 3))
    method = made(name, prior)
    with jax.disable_jit():
        calls.clear()
        state = method.init(jnp.zeros((8, 8, 3)), KEY)
        for _ in range(3):
            state, _ = method.step(state, jnp.zeros((8, 8, 3)))
    assert len(calls) == 3 * method.evaluations


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_it_cannot_restore_is_said_before_it_starts(name, prior):
    make = SAMPLERS[name]
    blind = jr.Compose((MASK, jr.Blur(jr.GaussianKernel(3, unknown=True))))
    with pytest.raises(
        jr.InputError, match=rf"{name} restores by a known operator, and of this Compose something is unknown"
    ):
        make(prior, blind)
    with pytest.raises(jr.InputError, match="sigma_y must be a number from 0 on, not -1"):
        make(prior, MASK, sigma_y=-1.0)
    with pytest.raises(jr.InputError, match="steps must be at least"):
        make(prior, MASK, steps=0)
    short = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2, jr.schedule.linear(10))
    with pytest.raises(jr.InputError, match="knows noise up to a deviation of"):
        make(short, MASK)
    latent = dataclasses.replace(prior)
    object.__setattr__(latent, "latent", "any")
    with pytest.raises(jr.InputError, match=rf"'gaussian' is one of latents, in which {name} doesn't walk"):
        make(latent, MASK)


@pytest.mark.parametrize("name", LINEAR)
def test_what_is_not_linear_is_said(name, prior):
    for operator in (jr.Jpeg(30), jr.Tone(), lambda image: image + 1):
        with pytest.raises(jr.InputError, match=rf"{name} needs a linear operator, and this \w+ is none: take dps"):
            SAMPLERS[name](prior, operator)


@pytest.mark.parametrize("name", SAMPLERS)
def test_settings_come_from_the_prior(name, prior):
    tuned = dataclasses.replace(prior, settings=Tuned.of({name: {"any": {"steps": 7}}}))
    alone = {"repeats": 1} if name == "repaint" else {}
    assert SAMPLERS[name](tuned, MASK, **alone).iterations == 7
    assert SAMPLERS[name](tuned, MASK, steps=3, **alone).iterations == 3
    assert SAMPLERS[name](tuned, MASK, settings=jr.published(name), **alone).iterations >= 20
    assert SAMPLERS[name](prior, MASK, steps=5000, **alone).iterations == 1000  # each of its times once


@pytest.mark.parametrize("name", SAMPLERS)
def test_predictions_are_clipped_unless_that_is_not_wanted(name):
    """Of data far outside of [-1, 1] every prediction lies there, and noise is drawn around it."""
    prior = jr.gaussian_prior(jnp.full((8, 8, 3), 3.0), 0.1)
    y = MASK(jnp.full((8, 8, 3), 0.5))
    largest = []
    for clip in (True, False):
        method = made(name, prior, clip=clip)
        state = jr.init(method, y, KEY)
        for _ in range(method.iterations):
            state, _ = jr.step(method, state, y)
        largest.append(float(jnp.abs(state.x).max()))
    assert largest[0] < 1.5 < 2 < largest[1]
