"""A measurement, simulated: the operator's, with the camera's noise."""

import math

from jaxtyping import Array, Float

from jaxrestore._names import NoiseName
from jaxrestore._pytree import is_traced
from jaxrestore.errors import InputError
from jaxrestore.operators.borders import cut_out, with_boundary
from jaxrestore.operators.checks import check_word
from jaxrestore.operators.contract import Operator, is_picture, kind_of, selected, sigma_of
from jaxrestore.simulate.noise import bird_noise, gaussian_noise, poisson_noise, salt_and_pepper, speckle_noise


def measure(
    operator: Operator,
    image: Float[Array, "*b h w c"],
    key: Array,
    sigma_y: float | Array = 0.0,
    noise: NoiseName = "gaussian",
    size: tuple[int, int] | None = None,
) -> Array:
    """y = H(image) + noise of deviation `sigma_y` in units of [-1, 1]; pixels that a mask leaves out have none. Pure.

    With `size`, (height, width), `image` is a larger scene, and y is of its middle (`operators.middle`): blurred with what
    lies around it, then cut, as a photograph is. Whatever boundary the operator has doesn't matter then. InputError where the
    scene isn't larger by `operators.reach_of` on each side.

    - "gaussian": white noise.
    - "speckle", "poisson": in proportion to the brightness, and to its root; `sigma_y` is the deviation at white.
    - "salt-and-pepper": `sigma_y` / 2 is the share of the pixels that turn white or black.
    - "bird": BIRD's published mixtures, whatever `sigma_y` is: for the kind "denoise" that of its denoising task.

    A sinogram has Gaussian noise only, of what white noise of deviation `sigma_y` on the image's pixels adds up to along a
    ray ("bird": 0.1). InputError for another noise of it, or for a `sigma_y` that is no number from 0 on.

    >>> import jax, jax.numpy as jnp
    >>> from jaxrestore.operators import AveragePool
    >>> measure(AveragePool(4), jnp.zeros((8, 8, 3)), jax.random.key(0), sigma_y=2 * 10 / 255).shape
    (2, 2, 3)
    """
    check_word("noise", noise, NoiseName)
    known = not is_traced(sigma_y)
    if known and not 0 <= float(sigma_y) < math.inf:
        raise InputError(f"sigma_y must be a number from 0 on, not {sigma_y}.")
    if size is None:
        y = operator(image)
    else:
        operator = with_boundary(operator, "reflect")  # none of its pixels is to be left out
        y = cut_out(operator, image, size)
    if not is_picture(operator):
        if noise not in ("gaussian", "bird"):
            raise InputError(f"A measurement that is no picture has Gaussian noise, not {noise}.")
        return gaussian_noise(y, key, sigma_of(operator, 0.1 if noise == "bird" else sigma_y, y))
    if noise == "bird":
        noisy = bird_noise(y, key, 0.8, 0.3) if kind_of(operator) == "denoise" else bird_noise(y, key)
    elif known and float(sigma_y) == 0:
        noisy = y
    elif noise == "poisson":
        noisy = poisson_noise(y, key, (sigma_y / 2) ** -2)
    elif noise == "salt-and-pepper":
        noisy = salt_and_pepper(y, key, sigma_y / 2)
    else:
        noisy = {"gaussian": gaussian_noise, "speckle": speckle_noise}[noise](y, key, sigma_y)
    return selected(operator, noisy)
