"""Gen2Res on the closed-form prior: the sampler's distribution, the guidance written out, and what a step costs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.diffusion import ancestral
from jaxrestore.diffusion.tuned import Tuned
from jaxrestore.methods._gen2res import Constraint, Guidance, chain_times, guided_steps, respaced
from jaxrestore.methods.settings import values_of
from jaxrestore.solve.constraining import constrain, generative_album
from jaxrestore.training.steps import Training

KEY = jax.random.key(0)
Y = jax.device_put(np.linspace(0.6, -0.6, 192, dtype=np.float32).reshape(8, 8, 3))


@pytest.mark.parametrize("steps", [None, 60])
def test_samples_have_the_distribution_of_clean_images_behind_the_noisy_one(gaussian, steps):
    """p(x0 | y_K) of Gaussian data is known; averaged over the noise that was added to y."""
    method = jr.gen2res(gaussian, depth=299, steps=steps, clip=False)
    keys = jax.random.split(jax.random.key(0), 700)
    end = np.asarray(jax.jit(jax.vmap(lambda key: final(method, key)))(keys))
    alpha_bar = float(gaussian.schedule.alpha_bar[299])
    mean, std = (np.asarray(gaussian.parameters[name]) for name in ("mean", "std"))
    gain = alpha_bar * std**2 / (alpha_bar * std**2 + 1 - alpha_bar)  # of y against the prior's mean
    spread = std**2 * (1 - gain) + gain**2 * (1 - alpha_bar) / alpha_bar
    np.testing.assert_allclose(end.mean(0), mean + gain * (Y - mean), atol=0.06)
    ratio = float((end.var(0) / spread).mean())  # fixed_small is a lower bound (Ho et al. 2020), nearer for more steps
    assert 0 < 1 - ratio < (0.04 if steps is None else 0.12)


def final(method, key):
    """The last sample, unclipped."""
    state = method.init(Y, key)
    return jax.lax.fori_loop(0, method.iterations, lambda _, state: method.step(state, Y)[0], state).x


@pytest.mark.parametrize("form", ["paper", "published"])
def test_guidance_is_what_the_formulas_say(gaussian, form):
    guidance = Guidance(0.05, every=3, last=0, first=0, form=form)
    method = jr.gen2res(gaussian, depth=6, guidance=guidance)
    state = method.init(Y, jax.random.key(0))

    @jax.jit
    def formulas(x, t, key):
        def distance(x):
            square = jnp.sum((Y - ancestral.predict(gaussian, x[None], t, "fixed_small").x0[0]) ** 2)
            return square if form == "paper" else jnp.sqrt(square)

        gradient = jax.grad(distance)(x) * ((t + 1) % 3 == 0)
        start = x - 0.05 * gradient if form == "paper" else x
        after = ancestral.ancestral_step(gaussian, start[None], t, key, "fixed_small")[0]
        return after if form == "paper" else after - 0.05 * gradient

    for t in range(6, -1, -1):
        wanted = formulas(state.x, jnp.int32(t), jax.random.fold_in(jax.random.key(state.seed), 6 - t))
        state, shown = jr.step(method, state, Y)
        np.testing.assert_allclose(state.x, wanted, atol=1e-5)
    np.testing.assert_allclose(shown.image, np.clip(wanted, -1, 1), atol=1e-5)
    assert float(shown.data_term) == pytest.approx(float(np.mean((shown.image - Y) ** 2)), rel=1e-4)


def test_the_papers_guidance_the_codes_and_our_reading_have_names(gaussian):
    kinds = {kind: jr.published("gen2res", kind) for kind in ("any", "paper", "published", "reading")}
    assert kinds["any"] == kinds["paper"]
    assert {kind: one.guidance.form for kind, one in kinds.items() if kind != "any"} == {
        "paper": "paper",
        "published": "published",
        "reading": "published",
    }
    guides = {kind: jr.gen2res(gaussian, settings=one).guidance for kind, one in kinds.items()}
    assert {kind for kind, guidance in guides.items() if guidance is not None} == {"published"}


def test_guided_steps_are_the_published_ones():
    """Its defaults at K = 200 guide every tenth step; from pure noise the noisiest 200, too; `first` ends it early."""
    published = Guidance(every=10, last=200)
    assert np.flatnonzero(guided_steps(published, chain_times(199, 200), 1000)).tolist() == list(range(9, 200, 10))
    from_noise = guided_steps(published, chain_times(999, 1000), 1000)
    assert from_noise[800:].all()
    assert from_noise[:800].sum() == 80
    assert not guided_steps(Guidance(every=0, last=0), chain_times(199, 200), 1000).any()
    assert guided_steps(Guidance(every=10, first=100), chain_times(199, 200), 1000).sum() == 10


def test_a_respaced_prior_tells_the_network_the_true_times(gaussian):
    times = chain_times(199, 40)
    few, predict = respaced(gaussian, times), jax.jit(jr.Prior.predict_noise)
    np.testing.assert_allclose(few.schedule.alpha_bar, np.asarray(gaussian.schedule.alpha_bar)[times])
    for i in (0, 17, 39):
        same = predict(few, Y[None], i), predict(gaussian, Y[None], times[i])
        np.testing.assert_allclose(*same, rtol=1e-6)


def test_an_album_is_a_batch_of_single_restorations(gaussian):
    settings = Constraint(3, Guidance(0.1, every=2), Training(), 1, depth=7)
    album = generative_album(gaussian, Y, jax.random.key(5), settings)
    method = jr.gen2res(gaussian, depth=7, guidance=Guidance(0.1, every=2))
    keys = [jax.random.key(5), *(jax.random.fold_in(jax.random.key(5), i) for i in (1, 2))]
    single = jax.jit(jr.run)
    for image, key in zip(album, keys, strict=True):
        np.testing.assert_allclose(image, single(method, Y, key).image, atol=1e-5)
    assert np.abs(album[0] - album[1]).max() > 0.01


def test_guidance_draws_samples_towards_the_degraded_image(gaussian):
    near = [
        float(jax.jit(jr.run)(jr.gen2res(gaussian, depth=299, steps=30, guidance=guidance), Y, KEY).data_term)
        for guidance in (None, Guidance(0.3, every=3))
    ]
    assert near[1] < 0.9 * near[0]


def test_a_prior_is_constrained_to_its_album(affine_prior):
    """Its only weights are the mean of its data: fine-tuned on an album, they are the album's."""
    tuning = Training(steps=70, batch_size=4, learning_rate=0.05, warmup=0, anneal="linear", average=0.0, flip=False)
    settings = Constraint(4, Guidance(0.1), tuning, 70, depth=19)
    album = np.broadcast_to(np.asarray(Y), (5, 8, 8, 3)).copy()
    tuned, made = constrain(affine_prior, jax.random.key(0), settings, album=album)
    np.testing.assert_allclose(tuned.parameters["mean"], Y, atol=0.05)
    assert made is None
    generated, made = constrain(affine_prior, jax.random.key(0), settings, y=Y)
    np.testing.assert_allclose(generated.parameters["mean"], made.mean(0), atol=0.1)
    with pytest.raises(ValueError, match="one of the two"):
        constrain(affine_prior, jax.random.key(0), settings)


def test_settings_that_cannot_be_meant(gaussian):
    for wrong in ({"depth": 1000}, {"depth": -2}, {"depth": 19, "steps": 21}):
        with pytest.raises(jr.InputError, match="must lie between"):
            jr.gen2res(gaussian, **wrong)
    from_noise = jr.gen2res(gaussian, depth=-1)
    assert from_noise.iterations == 1000
    assert from_noise.init(Y, KEY).x.std() > 0.9


def test_settings_are_the_priors_or_the_papers(gaussian):
    assert jr.gen2res(gaussian).iterations == jr.gen2res(gaussian).depth + 1 == 200
    values = values_of(dataclasses.replace(jr.published("gen2res"), depth=99, steps=30))
    prior = dataclasses.replace(gaussian, settings=Tuned.of({"gen2res": {"any": values}}))
    assert (jr.gen2res(prior).depth, jr.gen2res(prior).iterations) == (99, 30)
    assert jr.gen2res(prior, depth=9).iterations == 10
