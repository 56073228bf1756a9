"""A user's own method, in thirty lines, runs through the driver like ours."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxrestore as jr


class Point(NamedTuple):
    image: jax.Array
    noise: jax.Array
    data_term: jax.Array


@jr.register
@dataclass(frozen=True, kw_only=True)
class Langevin(jr.Method):
    """Steps along the gradient of the data term, and noise: a chain whose best point is the answer."""

    rate: Any = 0.5
    temperature: Any = 0.01

    def init(self, y, key):
        noise_key, chain_key = jax.random.split(key)
        return jax.random.normal(noise_key, self.prior.shape), jax.random.bits(chain_key)

    def step(self, state, y):
        noise, seed = state

        def data_term(noise):
            image = jr.unroll(self.prior, noise, skip=250, clip=False, gradient="full")
            return jnp.mean((self.operator(image) - y) ** 2), image

        (value, image), gradient = jax.value_and_grad(data_term, has_aux=True)(noise)
        fresh = jax.random.normal(jax.random.key(seed), noise.shape)
        moved = noise - self.rate * gradient / jnp.linalg.norm(gradient) + self.temperature * fresh
        return (moved, seed + 1), Point(image, noise, value)


def test_a_method_of_ones_own_has_restarts_rules_batches_and_vmap(gaussian, tmp_path):
    operator = jr.AveragePool(2)
    truth = jr.unroll(gaussian, jax.random.normal(jax.random.key(9), gaussian.shape), clip=False)
    y, key = operator(truth), jax.random.key(0)
    method = Langevin(
        prior=gaussian, operator=operator, iterations=100, answer="best", restarts=2, stop=jr.plateau(0.01, 5)
    )
    result = jr.restore(method, jnp.stack([y, -y]), key, batch_size=2, checkpoint=tmp_path / "checkpoints")
    assert result.data_term[0] < 0.3 * result.history[0, 0]
    assert result.restarts.noise.shape == (2, 2, *gaussian.shape)
    assert "the data term stopped falling" in jr.restore(replace(method, rate=0.0), y, key).message
    alone = jr.restore(method, y, key)
    np.testing.assert_allclose(alone.image, result.image[0], atol=1e-4)
    rates = jnp.array([0.0, 0.5])
    endless = replace(method, stop=jr.never())
    by_rate = jax.jit(jax.vmap(lambda method, rate: jr.run(replace(method, rate=rate), y, key).data_term, (None, 0)))
    without, with_moves = by_rate(endless, rates)
    assert with_moves < without
