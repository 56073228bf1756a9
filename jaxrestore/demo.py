"""The demonstration: a bundled photograph, ruined and restored."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import metrics, operators
from jaxrestore.degrade import simulate
from jaxrestore.images import enlarge, read_image, strip, write_png
from jaxrestore.methods import bird
from jaxrestore.restore import restore
from jaxrestore.storage import load_prior

PHOTOGRAPH = Path(__file__).parent / "data" / "flower.jpg"
NOISE_LEVEL = 25.0  # grey levels
BOX = 14  # pixels


def demo(folder: Path) -> str:
    """Degrade, restore, write `strip.png` (degraded, restored, clean) and its parts; the sentence to print."""
    prior = load_prior("flowers64")
    size = prior.shape[:2]
    clean = jnp.asarray(read_image(PHOTOGRAPH, size, "crop"))
    operator = operators.Mask.create(operators.box_mask(size, BOX))
    y = simulate(jax.random.key(1), clean, operator, NOISE_LEVEL)
    y = jnp.clip(y, -1, 1)  # as an 8-bit file holds it
    method = bird(prior, operator, task="denoise")
    result = restore(method, y, jax.random.key(0), restarts=2, combine="mean", progress=True)
    degraded, restored = np.asarray(y), np.asarray(result.image)
    for name, image in {"degraded": degraded, "restored": restored, "clean": np.asarray(clean)}.items():
        write_png(folder / f"{name}.png", image)
    write_png(folder / "strip.png", enlarge(strip([degraded, restored, np.asarray(clean)]), 4))
    before, after = float(metrics.psnr(y, clean)), float(metrics.psnr(result.image, clean))
    return f"PSNR {before:.2f} dB degraded, {after:.2f} dB restored: see {folder / 'strip.png'}"
