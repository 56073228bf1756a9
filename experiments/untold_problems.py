"""What `untold.py` ruins drawn faces with, and how a restored one is scored: by the face, and without it.

`SEEN` were looked at while the method was made, on faces of other seeds; `KEPT_OUT` chose nothing.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from faces_problems import unlikely
from PIL import Image

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.files.images import as_stored, jpeg
from jaxrestore.simulate import DEGRADATIONS, gaussian_noise, salt_and_pepper, speckle_noise
from jaxrestore.stopping import sharpness

Ruin = Callable[[np.ndarray, int], np.ndarray]
SPECKLE, IMPULSES, COLOURS = 0.4, 0.04, 12


def simulated(function: Callable) -> Ruin:
    """``(image, key) -> image`` as ``(image, seed) -> image``, as an 8-bit file holds it."""
    return lambda image, seed: as_stored(function(jnp.asarray(image), jax.random.key(seed)))


def noise(levels: float) -> Ruin:
    return simulated(lambda image, key: gaussian_noise(image, key, levels / 127.5))


def codec(quality: int) -> Ruin:
    return lambda image, seed: jpeg(image, quality)


def palette(image: np.ndarray, seed: int) -> np.ndarray:
    """As many colours as a small GIF has, dithered."""
    stored = Image.fromarray(np.round((image + 1) * 127.5).astype(np.uint8))
    few = stored.quantize(COLOURS).convert("RGB").quantize(palette=stored.quantize(COLOURS)).convert("RGB")
    return np.asarray(few, np.float32) / 127.5 - 1


SEEN: dict[str, Ruin] = {
    "clean": lambda image, seed: image,
    "noise 15": noise(15),
    "noise 30": noise(30),
    "noise 60": noise(60),
    "JPEG 5": codec(5),
    "JPEG 10": codec(10),
    "JPEG 20": codec(20),
    "rain": DEGRADATIONS["rain"],
    "raindrops": DEGRADATIONS["raindrop"],
}
KEPT_OUT: dict[str, Ruin] = {
    "speckle": simulated(lambda image, key: speckle_noise(image, key, SPECKLE)),
    "impulses": simulated(lambda image, key: salt_and_pepper(image, key, IMPULSES)),
    "palette": palette,
}
KINDS = SEEN | KEPT_OUT
TRIED = ("clean", "noise 30", "JPEG 10", "rain", "raindrops")  # on which variants are compared


@jax.jit
def _distance(network: metrics.Lite0, image: Any, face: Any) -> Any:
    return network(image, face)


def scores(prior: jr.Prior, network: metrics.Lite0 | None, image: np.ndarray, face: np.ndarray) -> dict[str, float]:
    """Of the image as a file holds it: `psnr`, `ssim`, `deviation` (GMSD) and `features` against the face; `unlikely`
    (the prior's residual, grey levels), `sharp` and `blocks` of the image alone."""
    one, other = jnp.asarray(as_stored(image)), jnp.asarray(face)
    found = {
        "psnr": metrics.psnr(one, other),
        "ssim": metrics.ssim(one, other),
        "deviation": metrics.gradient_deviation(one, other),
        "unlikely": unlikely(prior, one),
        "sharp": jnp.sqrt(sharpness(one)),
        "blocks": metrics.blockiness(one),
    }
    if network is not None:
        found["features"] = _distance(network, one, other)
    return {name: float(value) for name, value in found.items()}
