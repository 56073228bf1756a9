"""What holds for every method that walks down from pure noise through an operator of which something is unknown."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from killed import killed_and_started_again

import jaxrestore as jr
from jaxrestore.diffusion.schedule import TimeGrid
from jaxrestore.diffusion.tuned import Tuned
from jaxrestore.methods.blind_walking import BlindState

SAMPLERS = {"blind_diffpir": jr.blind_diffpir, "fast_em": jr.fast_em, "blind_dps": jr.blind_dps, "gdp": jr.gdp}
SHAPE = (8, 8, 3)
KEY = jax.random.key(0)
run = jax.jit(jr.run)


@jr.register
@dataclasses.dataclass(frozen=True)
class Twice:
    """H(image) = the image, and beside it the image times an unknown gain."""

    gain: jax.Array
    unknown = ("gain",)

    def __call__(self, image):
        return jnp.concatenate([image, self.gain * image], axis=-1)


@pytest.fixture(scope="module")
def prior():
    return jr.gaussian_prior(jnp.full(SHAPE, 0.1), 0.2)


@pytest.fixture(scope="module")
def noisy():
    """Of two images, with the gain 0.7."""
    images, noise = 0.1 + 0.2 * jax.random.normal(KEY, (2, *SHAPE)), jax.random.normal(jax.random.key(8), (2, 8, 8, 6))
    return jnp.concatenate([images, 0.7 * images], -1) + 0.1 * noise


TWICE = Twice(jnp.float32(0.3))


def made(name, prior, operator=TWICE, **settings):
    several = {"fast_em": {"particles": 2}, "blind_diffpir": {"walks": 2}}.get(name, {})
    return SAMPLERS[name](prior, operator, sigma_y=0.1, **{"steps": 6, **several, **settings})


EXACT = {"steps": 60, "least_sigma": 0.0, "damping": 0.0}
ENDS = {  # settings; how far the gain is off 0.7 at most; the mean of draws off the posterior's, of its way from the prior's
    "blind_diffpir": (EXACT, 0.05, 0.05),
    "fast_em": ({**EXACT, "spread": 0.2, "share": 1.0}, 0.02, 0.08),
    "blind_dps": ({"steps": 300, "scale": 0.3, "operator_lr": 0.02}, 0.1, 0.05),
    "gdp": ({"steps": 300, "operator_lr": 0.02}, 0.02, 0.08),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_gain_and_mean_are_nearly_those_of_a_known_gain(prior, name):
    """Of Gaussian data seen twice with noise: the mean of draws is nearly the closed form for the true gain.

    What is left is known. Predictions vary less than images do, so that a gain found from them is too large; where the
    operator is found from draws (`share` of fast_em), or the pull leaves y's noise in the predictions (GDP), it is not. DPS's
    pulls are of one length however large the residual is."""
    settings, off, share = ENDS[name]
    draw = np.random.default_rng(3)
    image = 0.1 + 0.2 * draw.standard_normal(SHAPE, np.float32)
    clean = np.concatenate([image, np.float32(0.7) * image], -1)
    y = clean + np.float32(0.05) * draw.standard_normal(clean.shape, np.float32)
    method = SAMPLERS[name](prior, TWICE, sigma_y=0.05, clip=False, **settings)
    draws = jax.jit(jax.vmap(jr.run, in_axes=(None, None, 0)))
    found = draws(method, y, jax.random.split(KEY, 32))
    np.testing.assert_allclose(np.mean(found.operator.gain), 0.7, atol=off)
    known = (0.1 / 0.04 + (y[..., :3] + 0.7 * y[..., 3:]) / 0.0025) / (1 / 0.04 + 1.49 / 0.0025)
    left = np.linalg.norm(np.mean(found.image, axis=0) - known)
    assert left < share * np.linalg.norm(0.1 - known)
    if name == "fast_em":
        method = dataclasses.replace(method, share=jnp.float32(0.0))
        assert np.mean(draws(method, y, jax.random.split(KEY, 32)).operator.gain) > 0.72


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_batch_is_the_loop_and_a_run_the_loop_by_hand(name, prior, noisy):
    method, keys = made(name, prior), jax.random.split(KEY, 2)
    many = jr.restore(method, noisy, keys)
    for i in range(2):
        state = method.init(noisy[i], keys[i])
        for _ in range(method.iterations):
            state, iterate = jr.step(method, state, noisy[i])
        np.testing.assert_allclose(many.image[i], iterate.image, atol=1e-4)
        operator = method.operator_at(iterate)
        np.testing.assert_allclose(many.operator.gain[i], operator.gain, atol=1e-4)
        np.testing.assert_allclose(iterate.data_term, np.mean((operator(iterate.image) - noisy[i]) ** 2), atol=1e-6)
    assert abs(operator.gain - 0.3) > 1e-3


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_batch_with_restarts_goes_on_from_a_checkpoint(name, prior, noisy, tmp_path):
    method = made(name, prior, restarts=2)
    whole = jr.restore(method, noisy, KEY, chunk_size=2)
    np.testing.assert_allclose(whole.image, np.mean(whole.restarts.image, 0), atol=1e-6)
    assert np.abs(whole.restarts.image[0] - whole.restarts.image[1]).max() > 0.01
    again, iterations = killed_and_started_again(method, noisy, KEY, tmp_path)
    assert iterations == [6]
    np.testing.assert_allclose(again.image, whole.image, atol=1e-4)
    distance = np.abs(whole.restarts.data_term - np.float32(0.01))
    np.testing.assert_allclose(jr.best(whole).score, np.min(distance, axis=0), rtol=1e-4)


@pytest.mark.parametrize("name", SAMPLERS)
def test_it_says_how_many_evaluations_it_makes(name):
    calls = []

    def network(parameters, x, t):
        calls.append(len(x))
        return parameters["share"] * x

    prior = jr.Prior(network, {"share": jnp.float32(0.5)}, jr.schedule.linear(), SHAPE)
    method = made(name, prior, jr.Identity())
    calls.clear()  # tracing calls it as often as a step does: no step has a loop around it
    jax.eval_shape(method.step, method.init(jnp.zeros(SHAPE), KEY), jnp.zeros(SHAPE))
    assert sum(calls) == method.evaluations


def test_with_nothing_unknown_each_is_the_sampler_that_it_is_made_of(prior, noisy):
    known, y = jr.AveragePool(2), jr.AveragePool(2)(noisy[0][..., :3])
    pairs = [
        (
            made("blind_diffpir", prior, known, walks=1, least_sigma=0.01),
            jr.diffpir(prior, known, sigma_y=0.1, steps=6, zeta=1.0),
        ),
        (made("blind_dps", prior, known), jr.dps(prior, known, sigma_y=0.1, steps=6)),
        (
            made("fast_em", prior, known, particles=1, eta=0.0, least_sigma=0.0),
            jr.pigdm(prior, known, sigma_y=0.1, steps=6, eta=0.0),
        ),
    ]
    for blind, sighted in pairs:
        np.testing.assert_allclose(run(blind, y, KEY).image, run(sighted, y, KEY).image, atol=1e-5)


def test_a_move_of_gdp_is_its_formula(prior, noisy):
    """An ancestral step from the prior's prediction, less the scaled gradient of half the squared misfit there."""
    method = made("gdp", prior, Twice(jnp.float32(0.5)), clip=False, scale=0.3)
    level, following = (float(prior.schedule.alpha_bar[t]) for t in (300, 250))
    x, y = np.asarray(noisy[0][..., :3]), noisy[1]
    time = TimeGrid(jnp.int32(300), jnp.float32(level), jnp.float32(following))
    state = BlindState(noisy[0][..., :3], method.init(y, KEY).estimate, jnp.int32(0), jnp.uint32(0))
    after, x0, estimate = method.move(state, y, time, KEY)
    x0_wanted = 0.1 + level**0.5 * 0.04 / (level * 0.04 + 1 - level) * (x - level**0.5 * 0.1)
    np.testing.assert_allclose(x0, x0_wanted, atol=1e-5)
    spread = ((1 - following) / (1 - level) * (1 - level / following)) ** 0.5
    eps = (x - level**0.5 * x0_wanted) / (1 - level) ** 0.5
    pull = (x0_wanted - y[..., :3]) + 0.5 * (0.5 * x0_wanted - y[..., 3:])
    wanted = following**0.5 * x0_wanted + (1 - following - spread**2) ** 0.5 * eps
    wanted += spread * np.asarray(jax.random.normal(KEY, SHAPE)) - 0.3 * pull
    np.testing.assert_allclose(after, wanted, atol=1e-4)
    slope = np.mean((0.5 * x0_wanted - y[..., 3:]) * x0_wanted)
    np.testing.assert_allclose(estimate.unknown.gain, 0.5 - 0.01 * np.sign(slope), rtol=1e-4)  # Adam's first step


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_is_not_linear_is_restored_too(name, prior, noisy):
    """Exposure: brighter or darker, and clipped."""
    dark = jr.Tone(-1.0)(jnp.clip(noisy[0][..., :3], -1, 1))
    result = run(made(name, prior, jr.Tone(unknown=("stops",)), steps=20), dark, KEY)
    assert np.all(np.isfinite(result.image))
    assert result.operator.stops < -0.1


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_it_cannot_restore_is_said_before_it_starts(name, prior):
    make = SAMPLERS[name]

    @jr.register
    @dataclasses.dataclass(frozen=True)
    class Measured:
        def __call__(self, image):
            return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(image.shape, image.dtype), image)

    with pytest.raises(
        jr.InputError, match=rf"{name} needs derivatives of the operator, and this Measured has none \("
    ):
        make(prior, Measured())
    with pytest.raises(jr.InputError, match="sigma_y must be a number from 0 on, not -1"):
        make(prior, TWICE, sigma_y=-1.0)
    with pytest.raises(jr.InputError, match="steps must be at least"):
        make(prior, TWICE, steps=0)
    short = jr.gaussian_prior(jnp.zeros(SHAPE), 0.2, jr.schedule.linear(10))
    with pytest.raises(jr.InputError, match="knows noise up to a deviation of"):
        make(short, TWICE)
    latent = dataclasses.replace(prior)
    object.__setattr__(latent, "latent", "any")
    with pytest.raises(jr.InputError, match=rf"'gaussian' is one of latents, in which {name} doesn't walk"):
        make(latent, TWICE)


@pytest.mark.parametrize("name", SAMPLERS)
def test_settings_come_from_the_prior(name, prior):
    method = name.replace("_", "-")
    tuned = dataclasses.replace(prior, settings=Tuned.of({method: {"any": {"steps": 7}}}))
    assert SAMPLERS[name](tuned, TWICE).iterations == 7
    assert SAMPLERS[name](tuned, TWICE, steps=3).iterations == 3
    assert SAMPLERS[name](tuned, TWICE, settings=jr.published(method)).iterations == jr.published(method).steps
    assert SAMPLERS[name](prior, TWICE, steps=5000).iterations == 1000  # each of its times once
