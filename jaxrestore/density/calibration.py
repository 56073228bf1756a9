"""Calibrating a prior with a folder of photographs: the statistics of their noise, written beside the prior."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore.density.typical import calibrate
from jaxrestore.diffusion.statistics import write_statistics
from jaxrestore.diffusion.storage import load_prior, prior_folder
from jaxrestore.errors import InputError, PriorError
from jaxrestore.files.fitting import Fit
from jaxrestore.files.folders import list_images
from jaxrestore.files.images import read_image
from jaxrestore.runtime.compiling import outermost


def calibrate_folder(prior_name: str | Path, photographs: Path, fit: Fit = "crop", most: int = 64) -> str:
    """Calibrate a prior with the photographs of a folder, evenly chosen where there are more than `most`; a sentence.

    Not for jit: it reads and writes files. InputError for photographs that can't be read, or that give no finite noise.
    """
    prior, folder = load_prior(prior_name), prior_folder(prior_name)
    files = list_images(photographs)
    files = files[:: -(-len(files) // most)]
    images = np.stack([read_image(file, prior.shape[:2], fit) for file in files])
    try:
        statistics = outermost(calibrate)(prior, jnp.asarray(images))
    except InputError as error:
        raise PriorError(f"{prior_name} can't be calibrated with {photographs}: {error}") from error
    if not all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(statistics)):
        raise PriorError(f"The photographs of {photographs} don't invert to finite noise under {prior_name}.")
    path = write_statistics(statistics, folder, photographs=len(images))
    return f"{path}: {len(images)} photographs at depths {', '.join(map(str, np.asarray(statistics.depths).tolist()))}"
