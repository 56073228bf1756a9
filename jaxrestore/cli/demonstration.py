"""What ``jaxrestore demo`` does: a bundled photograph, ruined in two ways and restored."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import metrics
from jaxrestore.cli.plan import grey_levels
from jaxrestore.diffusion.storage import load_prior
from jaxrestore.files.images import PHOTOGRAPH, enlarge, read_image, strip, write_image
from jaxrestore.methods import bird, invert2restore
from jaxrestore.operators import Mask
from jaxrestore.simulate import DEGRADATIONS, box_mask, measure
from jaxrestore.solve import restore

NOISE_LEVEL = 25  # grey levels
BOX = 14  # pixels


def demonstrate(folder: Path) -> str:
    """Degrade, restore, write `strip.png` (degraded, restored, clean; a row each) and its parts; the sentences to print."""
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
