"""The statistics of clean photographs on disk: `typical.json` in a prior's folder, and what writes it."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore.density.typical import Typical, calibrate
from jaxrestore.diffusion.storage import load_prior, prior_folder
from jaxrestore.errors import PriorError
from jaxrestore.runtime.compiling import outermost

FILE = "typical.json"
FORMAT = "jaxrestore typical 1"
AXES = {"depths": 1, "energy": 4, "level": 3, "spread": 3}  # of each array


def load_typical(name: str | Path) -> Typical:
    """The calibration of an embedded prior by its name, or of the prior in a folder. PriorError where there is none."""
    path = prior_folder(name) / FILE
    try:
        stored = json.loads(path.read_text())
    except OSError as error:
        raise PriorError(
            f"The prior {name} has not been calibrated ({path} can't be read): run `jaxrestore calibrate {name} FOLDER` "
            "with a few dozen clean photographs of its kind."
        ) from error
    except ValueError as error:
        raise PriorError(f"{path} is damaged: it is not JSON ({error}).") from error
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise PriorError(f"{path} is not a calibration: its format is not {FORMAT!r}.")
    try:
        arrays = {key: np.asarray(stored[key], np.int32 if key == "depths" else np.float32) for key in AXES}
        counts = {key: int(stored[key]) for key in ("steps", "refinements")}
    except (KeyError, TypeError, ValueError) as error:
        raise PriorError(f"{path} is damaged: {error} can't be understood.") from error
    if any(arrays[key].ndim != axes or len(arrays[key]) != len(arrays["depths"]) for key, axes in AXES.items()):
        raise PriorError(f"{path} is damaged: its arrays don't fit together.")
    if not all(np.all(np.isfinite(array)) for array in arrays.values()) or counts["steps"] < 1:
        raise PriorError(f"{path} is damaged: it holds values that can't be meant.")
    depths, energy, level, spread = (jnp.asarray(arrays[key]) for key in AXES)
    return Typical(depths, energy, level, spread, counts["steps"], counts["refinements"])


def save_typical(typical: Typical, folder: str | Path, **about: Any) -> Path:
    """Write a calibration into a prior's folder, aside first; `about` says of what it was made. The file's path."""
    from jaxrestore.files.images import write_aside  # Pillow waits until it is needed

    stored = {"format": FORMAT, **about, "steps": typical.steps, "refinements": typical.refinements}
    for key in AXES:
        values = np.asarray(getattr(typical, key), np.float64)
        stored[key] = json.loads(json.dumps(values.tolist()), parse_float=lambda text: float(f"{float(text):.5g}"))
    stored["depths"] = np.asarray(typical.depths).tolist()
    path = Path(folder) / FILE
    write_aside(path, lambda aside: aside.write_text(json.dumps(stored) + "\n"))
    return path


def calibrate_folder(prior_name: str | Path, photographs: Path, fit: Any = "crop", most: int = 64) -> str:
    """Calibrate a prior with the photographs of a folder, evenly chosen where there are more than `most`; a sentence."""
    from jaxrestore.files.images import list_images, read_image

    prior, folder = load_prior(prior_name), prior_folder(prior_name)
    files = list_images(photographs)
    files = files[:: -(-len(files) // most)]
    images = np.stack([read_image(file, prior.shape[:2], fit) for file in files])
    try:
        typical = outermost(calibrate)(prior, jnp.asarray(images))
    except ValueError as error:
        raise PriorError(f"{prior_name} can't be calibrated with {photographs}: {error}") from error
    if not bool(jax.tree.reduce(lambda so_far, leaf: so_far & jnp.all(jnp.isfinite(leaf)), typical, jnp.bool_(True))):
        raise PriorError(f"The photographs of {photographs} don't invert to finite noise under {prior_name}.")
    path = save_typical(typical, folder, photographs=len(images))
    return f"{path}: {len(images)} photographs at depths {', '.join(map(str, np.asarray(typical.depths).tolist()))}"
