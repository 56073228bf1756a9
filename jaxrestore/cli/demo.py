"""The demonstration: a bundled photograph, ruined in two ways and restored."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import operators
from jaxrestore.cli.degrade import simulate
from jaxrestore.density.calibration import load_typical
from jaxrestore.diffusion.storage import load_prior
from jaxrestore.files.images import enlarge, read_image, strip, write_png
from jaxrestore.methods import bird, invert2restore
from jaxrestore import metrics
from jaxrestore.simulate.degradations import DEGRADATIONS
from jaxrestore.solve.driver import restore

PHOTOGRAPH = Path(__file__).parent.parent / "data" / "flower.jpg"
NOISE_LEVEL = 25.0  # grey levels
BOX = 14  # pixels


def demo(folder: Path) -> str:
    """Degrade, restore, write `strip.png` (degraded, restored, clean; a row each) and its parts; the sentences to print."""
    prior = load_prior("flowers64")
    size = prior.shape[:2]
    clean = jnp.asarray(read_image(PHOTOGRAPH, size, "crop"))
    operator = operators.Mask.create(simulate.box_mask(size, BOX))
    y = simulate(jax.random.key(1), clean, operator, NOISE_LEVEL)
    y = jnp.clip(y, -1, 1)  # as an 8-bit file holds it
    method = bird(prior, operator, task="denoise")
    result = restore(method, y, jax.random.key(0), restarts=2, combine="mean", progress=True)
    noisy = jnp.asarray(DEGRADATIONS["noise"](0, np.asarray(clean)))
    calm = restore(invert2restore(prior, load_typical("flowers64")), noisy, jax.random.key(0))  # told nothing
    rows = {"": (y, result.image), "blind_": (noisy, calm.image)}
    strips, scores = [], []
    for name, pair in rows.items():
        degraded, restored = (np.asarray(image) for image in pair)
        write_png(folder / f"{name}degraded.png", degraded)
        write_png(folder / f"{name}restored.png", restored)
        strips.append(strip([degraded, restored, np.asarray(clean)]))
        scores.append([float(metrics.psnr(image, clean)) for image in pair])
    write_png(folder / "clean.png", np.asarray(clean))
    seam = np.ones((2, *strips[0].shape[1:]), np.float32)
    write_png(folder / "strip.png", enlarge(np.concatenate([strips[0], seam, strips[1]]), 4))
    (before, after), (blind_before, blind_after) = scores
    where = folder / "strip.png"
    return (
        f"Noise and a hole: PSNR {before:.2f} dB degraded, {after:.2f} dB restored.\n"
        f"Heavy noise, told nothing: PSNR {blind_before:.2f} dB degraded, {blind_after:.2f} dB restored; see {where}."
    )
