"""Weather, and the degradations of which a fully blind restoration is told nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore import simulate

KEY = jax.random.key(0)


@pytest.mark.parametrize("name", simulate.DEGRADATIONS)
def test_degradations_are_repeatable_and_leave_the_picture(name):
    image = np.tile(np.linspace(-0.8, 0.8, 64, dtype=np.float32)[:, None, None], (1, 64, 3))
    image[20:30, 20:30] = 0.9
    one, same, other = (simulate.DEGRADATIONS[name](image, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == image.shape
    assert one.min() >= -1
    assert one.max() <= 1
    assert 0 < np.mean((one - image) ** 2) < 0.1
    assert np.array_equal(one, other) == (name in ("jpeg", "reduction"))


def test_weather_is_differentiable_in_the_image_and_scales_with_it():
    image = jnp.zeros((64, 64, 3))
    rain = simulate.rain_streaks(image, KEY)
    assert float(rain.min()) >= 0
    np.testing.assert_allclose(jax.grad(lambda x: simulate.rain_streaks(x, KEY).sum())(image), 1, atol=1e-6)
    large = simulate.rain_streaks(jnp.zeros((128, 128, 3)), KEY)
    np.testing.assert_allclose(large.mean(), rain.mean(), rtol=0.15)
    window = jnp.tile(jnp.linspace(-1, 1, 64)[None, :, None], (64, 1, 3))
    wet = simulate.raindrops(window, KEY)
    dry = jnp.all(jnp.abs(wet - window) < 1e-3, axis=-1)
    assert 0.3 < float(dry.mean()) < 0.95
    both = jax.vmap(simulate.raindrops, (None, 0))(window, jax.random.split(KEY))
    assert not np.allclose(both[0], both[1])
