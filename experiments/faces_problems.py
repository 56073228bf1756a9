"""What `faces.py` restores: faces that the prior drew itself, nine ways to ruin them, and how a restored one is scored.

A face is a sample of 25 steps, clipped and rounded to 8 bits, that the prior has never seen as an image. Seeds tell them
apart: those of the tables, those on which settings were tuned, those whose noise is what is typical.
"""

import io
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

import jaxrestore as jr
from jaxrestore import metrics, operators
from jaxrestore.files.images import as_stored
from jaxrestore.simulate import gaussian_noise

SIZE, STEPS = 64, 25
SEEDS = {"test": 0, "tuning": 1000, "typical": 2000}  # the first of each
RUIN = 1_000_000  # added to a face's seed for what ruins it: the face is that seed's noise, which must not come again
BOX = (20, 36)
NOISE, BLUR_NOISE = 30, 2  # grey levels
QUALITY, REDUCTION = 10, 8


class Problem(NamedTuple):
    """A ruined face, the same for every method."""

    truth: Any  # the operator that ruined it
    start: Any  # what a restoration is told of it
    y: Any
    sigma_y: float  # in units of [-1, 1]
    kind: str  # of problem, by which settings are found


def faces(prior: jr.Prior, which: str, count: int, batch: int = 8) -> np.ndarray:
    """The first `count` samples of those seeds, ``[count, 64, 64, 3]``, as 8-bit files hold them."""
    keys = [jax.random.key(SEEDS[which] + index) for index in range(count)]
    noise = jnp.stack([jax.random.normal(key, prior.noise_shape) for key in keys])
    groups = [noise[start : start + batch] for start in range(0, count, batch)]
    skip = len(prior.schedule) // STEPS
    return np.concatenate([as_stored(jr.unroll(prior, group, skip=skip, grid="linspace")) for group in groups])


def problem(name: str, face: np.ndarray, seed: int) -> Problem:
    """The face, ruined: where the box lies, the kernel and the noise follow from the seed."""
    return PROBLEMS[name](face, seed, np.random.default_rng(seed))


def _noise(face: np.ndarray, seed: int, draw: np.random.Generator) -> Problem:
    """White noise of 30 grey levels, as an 8-bit file holds it."""
    sigma = NOISE / 127.5
    y = as_stored(gaussian_noise(jnp.asarray(face), jax.random.key(RUIN + seed), sigma))
    return Problem(jr.Identity(), jr.Identity(), jnp.asarray(y), sigma, "denoise")


def _box(face: np.ndarray, seed: int, draw: np.random.Generator) -> Problem:
    """A missing box of 20 x 36 over the eyes, up to four pixels from where they mostly are."""
    of_64 = face.shape[0] // SIZE
    top, left = of_64 * (24 + draw.integers(-4, 5)), of_64 * (14 + draw.integers(-4, 5))
    known = np.ones(face.shape[:2], np.float32)
    known[top : top + of_64 * BOX[0], left : left + of_64 * BOX[1]] = 0
    mask = jr.Mask(known)
    return Problem(mask, mask, mask(jnp.asarray(face)), 0.0, "inpaint")


def _reduction(face: np.ndarray, seed: int, draw: np.random.Generator, factor: int = REDUCTION) -> Problem:
    """The mean of each `factor` x `factor` pixels, as an 8-bit file holds it: an image of 8 x 8, or of 4 x 4."""
    pool = jr.AveragePool(factor)
    return Problem(pool, pool, jnp.asarray(as_stored(pool(jnp.asarray(face)))), 0.0, "super-resolution")


def _pixels(face: np.ndarray, seed: int, draw: np.random.Generator, share: float) -> Problem:
    """A few pixels, anywhere."""
    mask = jr.Mask((draw.random(face.shape[:2]) < share).astype(np.float32))
    return Problem(mask, mask, mask(jnp.asarray(face)), 0.0, "compressed-sensing")


def _grey(face: np.ndarray, seed: int, draw: np.random.Generator) -> Problem:
    """Its brightness alone, as an 8-bit file holds it."""
    grey = jr.Grayscale()
    return Problem(grey, grey, jnp.asarray(as_stored(grey(jnp.asarray(face)))), 0.0, "colorize")


def _blur(face: np.ndarray, seed: int, draw: np.random.Generator) -> Problem:
    """A Gaussian kernel that nobody knows: deviations of 0.9 to 2.4 pixels, any angle; noise of 2 grey levels."""
    start = jr.Blur(jr.GaussianKernel(11, (1.2, 1.0), unknown=True))
    return known_blur(face, seed, draw)._replace(start=start, kind="blind-deblur")


def known_blur(face: np.ndarray, seed: int, draw: np.random.Generator) -> Problem:
    """The same, where the kernel is told."""
    sigmas = np.exp(draw.uniform(np.log(0.9), np.log(2.4), 2))
    truth = jr.Blur(jr.GaussianKernel(11, (float(sigmas[0]), float(sigmas[1])), float(draw.uniform(0, np.pi))))
    sigma = BLUR_NOISE / 127.5
    y = as_stored(gaussian_noise(truth(jnp.asarray(face)), jax.random.key(RUIN + seed), sigma))
    return Problem(truth, truth, jnp.asarray(y), sigma, "deblur")


def motion(face: np.ndarray, seed: int, draw: np.random.Generator) -> Problem:
    """The path of a hand, eight pixels long, that nobody knows; noise of 2 grey levels."""
    truth = jr.Blur(jr.motion_kernel(jax.random.key(RUIN + seed), 11, 8.0))
    sigma = BLUR_NOISE / 127.5
    y = as_stored(gaussian_noise(truth(jnp.asarray(face)), jax.random.key(2 * RUIN + seed), sigma))
    return Problem(truth, jr.Blur(jr.SoftmaxKernel(11)), jnp.asarray(y), sigma, "blind-motion-deblur")


def _jpeg(face: np.ndarray, seed: int, draw: np.random.Generator) -> Problem:
    """The codec of quality 10, which its file says."""
    data = io.BytesIO()
    Image.fromarray(np.round((face + 1) * 127.5).astype(np.uint8)).save(data, "JPEG", quality=QUALITY)
    y = np.asarray(Image.open(data), np.float32) / 127.5 - 1
    return Problem(jr.Jpeg(QUALITY), jr.Jpeg(QUALITY), jnp.asarray(y), 0.0, "jpeg")


PROBLEMS = {
    "noise": _noise,
    "box": _box,
    "reduction": _reduction,
    "reduction16": partial(_reduction, factor=2 * REDUCTION),
    "pixels5": partial(_pixels, share=0.05),
    "pixels1": partial(_pixels, share=0.01),
    "grey": _grey,
    "blur": _blur,
    "jpeg": _jpeg,
}


def shown(ruined: Problem) -> np.ndarray:
    """The measurement as an image of full size: missing pixels black, few pixels as the blocks that they are."""
    y = np.asarray(operators.shown(ruined.truth, ruined.y))
    if isinstance(ruined.truth, jr.Mask):
        return np.where(np.asarray(ruined.truth(jnp.ones((*y.shape[:2], 1)))) > 0, y, -1)
    factor = ruined.truth.scale if isinstance(ruined.truth, jr.AveragePool) else 1
    return y.repeat(factor, 0).repeat(factor, 1)


def scores(prior: jr.Prior, ruined: Problem, image: np.ndarray, face: np.ndarray) -> dict[str, float]:
    """PSNR, SSIM and deviation of gradients (GMSD) of the image as a file holds it, and how unlikely the prior finds it.

    Where a kernel was unknown, after the best shift, which nobody can tell.
    """
    image = as_stored(image)
    pair = (jnp.asarray(image), jnp.asarray(face))
    if operators.is_blind(ruined.start):
        pair = metrics.registered(*pair)
    return {
        "psnr": float(metrics.psnr(*pair)),
        "ssim": float(metrics.ssim(*pair)),
        "deviation": float(metrics.gradient_deviation(*pair)),
        "unlikely": float(unlikely(prior, jnp.asarray(image))),
    }


@jax.jit
def unlikely(prior: jr.Prior, image: Any) -> Any:
    """rms, in grey levels, of what the prior takes for noise in the image and isn't: mean over four noises at a tenth of T.

    No reference is needed: stray lines and rough contours raise it, and so does nothing that a drawn face has.
    """
    t = len(prior.schedule) // 10
    noise = jax.random.normal(jax.random.key(0), (4, *image.shape))
    x = prior.schedule.diffuse(image[None], noise, t)
    alpha_bar = prior.schedule.alpha_bar[t]
    error = jnp.sqrt((1 - alpha_bar) / alpha_bar) * (prior.predict_noise(x, t) - noise)
    return 127.5 * jnp.sqrt(jnp.mean(error.mean(0) ** 2))
