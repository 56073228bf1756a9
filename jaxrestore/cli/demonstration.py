"""What ``jaxrestore demo`` does: two bundled photographs, ruined and restored. One is blurred by an unknown motion of the
camera; the other, of the embedded diffusion model's own kind and size, is full of noise."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import metrics
from jaxrestore.cli.plan import grey_levels
from jaxrestore.diffusion.sizes import sized
from jaxrestore.diffusion.storage import load_prior
from jaxrestore.files.images import KINGFISHER, PHOTOGRAPH, as_stored, enlarge, read_image, strip, write_image
from jaxrestore.methods import bird, blind_dpir, invert2restore
from jaxrestore.operators import Blur, Mask, SoftmaxKernel, middle
from jaxrestore.simulate import DEGRADATIONS, box_mask, measure, motion_kernel
from jaxrestore.solve import restore

NOISE_LEVEL = 25  # grey levels
BOX = 14  # pixels
KERNEL, PATH = 25, 14.0  # pixels


def demonstrate(folder: Path) -> str:
    """Degrade, restore, write pictures of both photographs (degraded, restored, clean); the sentences to print."""
    return f"{sharpened(folder)}\n{denoised(folder)}"


def sharpened(folder: Path) -> str:
    """A photograph blurred by a path of the camera before it was cut, with noise; `photograph.png` and its parts."""
    scene = jnp.asarray(read_image(KINGFISHER))
    reach = KERNEL // 2
    size = (scene.shape[0] - 2 * reach, scene.shape[1] - 2 * reach)
    clean, blur = middle(scene, size), Blur(motion_kernel(jax.random.key(3), KERNEL, PATH), algorithm="fft")
    y = jnp.asarray(as_stored(measure(blur, scene, jax.random.key(1), grey_levels(2.5), size=size)))
    method = blind_dpir(
        sized(load_prior("photos"), *size), Blur(SoftmaxKernel(KERNEL)), sigma_y=metrics.estimate_sigma_y(y)
    )
    result = restore(method, y, jax.random.key(0), progress=True)
    for name, image in (("degraded", y), ("restored", result.image), ("clean", clean)):
        write_image(folder / f"photograph_{name}.png", image)
    write_image(folder / "photograph.png", strip([np.asarray(image) for image in (y, result.image, clean)]))
    before, after = (float(metrics.psnr(*metrics.registered(image, clean))) for image in (y, result.image))
    return (
        f"A blur nobody told: PSNR {before:.2f} dB degraded, {after:.2f} dB restored; see {folder / 'photograph.png'}."
    )


def denoised(folder: Path) -> str:
    """A small photograph with noise and a hole, and with heavy noise that nobody told; `strip.png` and its parts."""
    prior = load_prior("flowers64")
    clean = jnp.asarray(read_image(PHOTOGRAPH, prior, "crop"))
    operator = Mask(box_mask(prior.shape[:2], BOX))
    y = jnp.clip(measure(operator, clean, jax.random.key(1), grey_levels(NOISE_LEVEL)), -1, 1)  # as a file holds it
    method = bird(prior, operator, kind="denoise", restarts=2, combine="mean")
    result = restore(method, y, jax.random.key(0), keep_known=False, progress=True)
    noisy = jnp.asarray(DEGRADATIONS["noise"](np.asarray(clean), 0))
    calm = restore(invert2restore(prior), noisy, jax.random.key(0))  # told nothing
    strips, scores = [], []
    for name, degraded, restored in (("", y, result.image), ("blind_", noisy, calm.image)):
        write_image(folder / f"{name}degraded.png", degraded)
        write_image(folder / f"{name}restored.png", restored)
        strips.append(strip([np.asarray(image) for image in (degraded, restored, clean)]))
        scores.append([float(metrics.psnr(image, clean)) for image in (degraded, restored)])
    write_image(folder / "clean.png", clean)
    seam = np.ones((2, *strips[0].shape[1:]), np.float32)
    write_image(folder / "strip.png", enlarge(np.concatenate([strips[0], seam, strips[1]]), 4))
    (before, after), (blind_before, blind_after) = scores
    return (
        f"Noise and a hole: PSNR {before:.2f} dB degraded, {after:.2f} dB restored.\n"
        f"Heavy noise, told nothing: PSNR {blind_before:.2f} dB degraded, {blind_after:.2f} dB restored; see "
        f"{folder / 'strip.png'}."
    )
