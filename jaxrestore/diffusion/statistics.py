"""What a prior knows of clean photographs' noise: the statistics that `density.calibrate` measures, and their file.

They lie beside the prior, in `typical.json`: they hold for that prior and the steps they were measured with.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxrestore._files import write_json
from jaxrestore._pytree import register
from jaxrestore.diffusion.beside import read_beside
from jaxrestore.diffusion.checksums import record_checksum
from jaxrestore.errors import PriorError

FILE = "typical.json"
FORMAT = "jaxrestore typical 1"
MOST = 1000  # steps, and refinements, of an inversion
AXES = {"depths": 1, "energy": 4, "level": 3, "spread": 3}  # of each array


@register
@dataclass(frozen=True)
class NoiseStatistics:
    """Statistics of clean photographs' noise at some depths, in the DCT of its patches and in opponent colours.

    A depth is a time t of the schedule; the noise there is that of x_t = sqrt(ab) image + sqrt(1 - ab) noise.
    """

    depths: Int[Array, " depths"] | Any  # rising
    energy: Float[Array, "depths p p c"] | Any  # mean square of each DCT coefficient of a patch
    level: Float[Array, "depths bands c"] | Any  # log2 of a photograph's energy in a band over that of all: its mean,
    spread: Float[Array, "depths bands c"] | Any  # and its deviation from one photograph to the next
    steps: int = field(metadata={"static": True})  # of DDIM, at each depth
    refinements: int = field(metadata={"static": True})  # of the inversion


def read_statistics(folder: Path) -> NoiseStatistics | None:
    """The statistics in a prior's folder, None where there are none; PriorError where the file is damaged."""
    path = folder / FILE
    stored = read_beside(path, FORMAT, "is not a calibration")
    if stored is None:
        return None
    try:
        arrays = {key: np.asarray(stored[key], np.int32 if key == "depths" else np.float32) for key in AXES}
        counts = {key: int(stored[key]) for key in ("steps", "refinements")}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise PriorError(f"{path} is damaged: {error} can't be understood.") from error
    if any(arrays[key].ndim != axes or len(arrays[key]) != len(arrays["depths"]) for key, axes in AXES.items()):
        raise PriorError(f"{path} is damaged: its arrays don't fit together.")
    depths, is_finite = arrays["depths"], all(np.all(np.isfinite(array)) for array in arrays.values())
    if not is_finite or np.any(np.diff(depths, prepend=0) <= 0) or len(depths) == 0:
        raise PriorError(f"{path} is damaged: it holds values that can't be meant.")
    if not (1 <= counts["steps"] <= MOST and 0 <= counts["refinements"] <= MOST):
        raise PriorError(f"{path} is damaged: its steps and refinements must be counts of at most {MOST}.")
    return NoiseStatistics(**{key: jnp.asarray(array) for key, array in arrays.items()}, **counts)


def write_statistics(statistics: NoiseStatistics, folder: str | Path, **about: Any) -> Path:
    """Write the statistics into a prior's folder, aside first, and their checksum into its card; `about` says of what they
    were measured. The file's path."""
    stored: dict[str, Any] = {
        "format": FORMAT,
        **about,
        "steps": statistics.steps,
        "refinements": statistics.refinements,
    }
    for key in AXES:
        values = np.asarray(getattr(statistics, key), np.float64)
        stored[key] = json.loads(json.dumps(values.tolist()), parse_float=lambda text: float(f"{float(text):.5g}"))
    stored["depths"] = np.asarray(statistics.depths).tolist()
    path = Path(folder) / FILE
    write_json(path, stored, indent=None)
    record_checksum(path)
    return path
