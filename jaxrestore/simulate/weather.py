"""Weather on a photograph, simulated: ``(image, key) -> image``, for images ``[h, w, c]`` in [-1, 1].

Sizes are in pixels of an image of 64 rows and scale with the height, numbers with the width over it. Pure, for jit and
vmap; the derivative in the image is that of what is seen through the weather.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float

from jaxrestore.operators.blur import convolve


@partial(jax.jit, static_argnames="density")
def rain_streaks(
    image: Float[Array, "h w c"],
    key: Array,
    density: float = 1.0,
    length: float = 10.0,
    width: float = 0.5,
    strength: float = 0.5,
) -> Float[Array, "h w c"]:
    """Bright streaks of falling drops, added as light: the same in all channels.

    18 `density` streaks on 64 x 64 pixels, all within 20 degrees of the vertical and parallel, of 0.6 to 1.4 times `length`,
    a Gaussian across with deviation `width`, of 0.5 to 1 times `strength`, in the image's units.

    >>> rain_streaks(jnp.zeros((8, 8, 3)), jax.random.key(0)).shape
    (8, 8, 3)
    """
    height, across = image.shape[:2]
    scale = height / 64
    count = max(1, round(18 * density * across / height))
    slant, place, size, light = jax.random.split(key, 4)
    angle = jax.random.uniform(slant, (), minval=-0.35, maxval=0.35)
    centres = jax.random.uniform(place, (count, 2)) * jnp.array([[height, across]], jnp.float32)
    halves = scale * length / 2 * jax.random.uniform(size, (count,), minval=0.6, maxval=1.4)
    lights = strength * jax.random.uniform(light, (count,), minval=0.5, maxval=1.0)
    rows, columns = jnp.mgrid[:height, :across].astype(jnp.float32)

    def add(layer: Array, streak: tuple[Array, Array, Array]) -> tuple[Array, None]:
        centre, half, brightness = streak
        y, x = rows - centre[0], columns - centre[1]
        along, aside = y * jnp.cos(angle) + x * jnp.sin(angle), x * jnp.cos(angle) - y * jnp.sin(angle)
        profile = jnp.exp(-0.5 * (aside / (scale * width)) ** 2) * jax.nn.sigmoid(2 * (half - jnp.abs(along)) / scale)
        return layer + brightness * profile, None

    layer, _ = jax.lax.scan(add, jnp.zeros((height, across)), (centres, halves, lights))
    return image + layer[..., None].astype(image.dtype)


@partial(jax.jit, static_argnames="density")
def raindrops(
    image: Float[Array, "h w c"], key: Array, density: float = 1.0, radius: float = 3.0, magnification: float = -1.8
) -> Float[Array, "h w c"]:
    """Drops on a window in front of the camera: through each the scene is seen refracted, out of focus and brighter.

    20 `density` drops on 64 x 64 pixels, of 0.7 to 1.5 times `radius`, a little longer than wide. A drop is a thick lens:
    it shows its surroundings turned upside down and reduced (`magnification`: pixels of scene per pixel of drop).

    >>> raindrops(jnp.zeros((8, 8, 3)), jax.random.key(0)).shape
    (8, 8, 3)
    """
    height, width = image.shape[:2]
    scale = height / 64
    count = max(1, round(20 * density * width / height))
    place, size = jax.random.split(key)
    centres = jax.random.uniform(place, (count, 2)) * jnp.array([[height, width]], jnp.float32)
    radii = scale * radius * jax.random.uniform(size, (count,), minval=0.7, maxval=1.5)
    rows, columns = jnp.mgrid[:height, :width].astype(jnp.float32)
    ticks = jnp.arange(2 * max(1, round(4 * scale)) + 1, dtype=jnp.float32)
    bell = jnp.exp(-0.5 * ((ticks - ticks.mean()) / (1.5 * scale)) ** 2)
    kernel = bell[:, None] * bell[None] / bell.sum() ** 2
    blurred = convolve(image, kernel)

    def add(seen: Array, drop: tuple[Array, Array]) -> tuple[Array, None]:
        centre, extent = drop
        y, x = rows - centre[0], columns - centre[1]
        inside = jax.nn.sigmoid(8 * (1 - jnp.hypot(y / 1.15, x) / extent))[..., None]
        where = [centre[0] + magnification * y, centre[1] + magnification * x]
        scene = jax.vmap(lambda plane: map_coordinates(plane, where, order=1, mode="reflect"), -1, -1)(blurred)
        return seen * (1 - inside) + inside * (0.9 * scene + 0.1), None

    return jax.lax.scan(add, image, (centres, radii))[0].astype(image.dtype)
