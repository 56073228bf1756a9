"""Tone and rain: at their neutral point, against closed forms, and as things to be estimated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore import operators as ops
from jaxrestore._pytree import replaced


def test_tone():
    image = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3), minval=-0.98, maxval=0.98)
    np.testing.assert_allclose(ops.Tone()(image), image, atol=1e-5)
    darker = ops.Tone(-1.0, (1.5, 0.5), 2.0)(image)
    brightness = (image + 1) / 2
    np.testing.assert_allclose((darker + 1) / 2, (brightness * jnp.array([0.75, 0.5, 0.25])) ** 2, atol=1e-4)
    assert float(ops.Tone(3.0)(image).max()) == 1
    gradient = jax.jit(jax.grad(lambda op: jnp.sum(op(image - 0.02))))(ops.Tone(0.1))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))
    with pytest.raises(ValueError, match="two positive numbers"):
        ops.Tone(balance=(1.0, -1.0))


def test_a_layer_of_rain():
    """Light is never negative, a point of amplitude makes a streak of its angle, and sparsity is a cost."""
    layer = ops.RainLayer((32, 32), length=3.0, start=0.0)
    point = replaced(layer, amplitude=layer.amplitude.at[16, 16].set(1.0), angle=jnp.float32(0.5))
    light = point.light()[..., 0]
    assert light.min() > -1e-6
    rows, columns = jnp.mgrid[-16:16, -16:16]
    along, across = (jnp.sum(light * (rows * jnp.cos(a) + columns * jnp.sin(a)) ** 2) for a in (0.5, 0.5 + jnp.pi / 2))
    assert along > 10 * across
    image = jnp.zeros((2, 32, 32, 3))
    np.testing.assert_allclose(point(image)[1, ..., 2], light, atol=1e-6)
    chain = ops.Compose((ops.Identity(), point))
    np.testing.assert_allclose(ops.penalty(chain), point.sparsity / 32**2, rtol=1e-5)
    assert ops.penalty(ops.Identity()) == 0
    with pytest.raises(ValueError, match="don't fit"):
        ops.RainLayer((8, 8), length=3.0)
