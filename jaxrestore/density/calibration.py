"""Calibrating a prior with a folder of photographs: the statistics of their noise, written beside the prior."""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore.density.typical import DEPTHS, REFINEMENTS, STEPS, check_calibration, noise_of, typical_of
from jaxrestore.diffusion.places import check_own, prior_folder, refuse_existing
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.statistics import FILE, NoiseStatistics, write_statistics
from jaxrestore.diffusion.storage import load_prior
from jaxrestore.errors import InputError, PriorError
from jaxrestore.files.fitting import Fit
from jaxrestore.files.folders import list_images
from jaxrestore.files.images import read_image
from jaxrestore.runtime.compiling import outermost
from jaxrestore.runtime.progress import progress_bar

BATCH = 8


def calibrate_folder(
    prior_name: str | Path,
    photographs: Path,
    out: Path | None = None,
    redo: bool = False,
    fit: Fit = "crop",
    most: int = 64,
    progress: bool = False,
) -> str:
    """Calibrate a prior with the photographs of a folder, evenly chosen where there are more than `most`; a sentence.

    Without `out` the statistics go into the prior's own folder, and only with `redo` into the place of others; with it into
    a new folder, a copy of the prior's. `progress`: a bar at a terminal. Not for jit: it reads and writes files. PriorError
    for a folder that is not to be written into, InputError for photographs that can't be read or give no finite noise.
    """
    folder = prior_folder(prior_name)
    if out is not None:
        refuse_existing(out)
    else:
        check_own(folder, "name a new folder with --out, for a copy of the prior with the calibration.")
        if (folder / FILE).exists() and not redo:
            raise PriorError(f"{folder / FILE} is a calibration already: --redo measures it anew.")
    prior, files = load_prior(folder), list_images(photographs)
    files = files[:: -(-len(files) // most)]
    images = np.stack([read_image(file, prior.shape[:2], fit) for file in files])
    try:
        statistics = statistics_of(prior, images, progress)
    except InputError as error:
        raise PriorError(f"{prior_name} can't be calibrated with {photographs}: {error}") from error
    if not all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(statistics)):
        raise PriorError(f"The photographs of {photographs} don't invert to finite noise under {prior_name}.")
    if out is None:
        path = write_statistics(statistics, folder, photographs=len(images))
    else:
        path = write_copy(folder, out, statistics, len(images))
    return f"{path}: {len(images)} photographs at depths {', '.join(map(str, np.asarray(statistics.depths).tolist()))}"


def write_copy(folder: Path, out: Path, statistics: NoiseStatistics, photographs: int) -> Path:
    """Write a copy of a prior's folder with these statistics, aside first; the path of their file."""
    aside = out.with_name(f".{out.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(folder, aside)
    write_statistics(statistics, aside, photographs=photographs)
    aside.rename(out)
    return out / FILE


def statistics_of(prior: Prior, images: np.ndarray, progress: bool = False) -> NoiseStatistics:
    """`calibrate` of photographs ``[n, h, w, c]`` with its defaults, some at a time, so that there is something to show."""
    check_calibration(len(images), DEPTHS, len(prior.schedule))
    filled = np.concatenate([images, np.repeat(images[-1:], -len(images) % BATCH, axis=0)])
    parts = np.split(filled, len(filled) // BATCH)
    found = []
    with progress_bar(len(DEPTHS) * len(parts), "batch", progress) as bar:
        for depth in DEPTHS:
            noise = []
            for part in parts:
                noise.append(np.asarray(_noise(prior, jnp.asarray(part), jnp.int32(depth))))
                bar.update()
            found.append(_typical(jnp.asarray(np.concatenate(noise)[: len(images)])))
    energy, level, spread = (jnp.stack(parts) for parts in zip(*found, strict=True))
    return NoiseStatistics(jnp.asarray(DEPTHS, jnp.int32), energy, level, spread, STEPS, REFINEMENTS)


def _inverted(prior: Prior, part: Float[Array, "n h w c"], depth: Array) -> Float[Array, "n h w c"]:
    return jax.vmap(lambda image: noise_of(prior, image, depth, STEPS, REFINEMENTS))(part)


_noise, _typical = outermost(_inverted), outermost(typical_of)
