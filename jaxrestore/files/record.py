"""What a restoration writes: the image, a strip, the kernel and operator that were found, the uncertainty, the record."""

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore.cli.tasks import kernels_of, view
from jaxrestore.errors import ImageError
from jaxrestore.files.images import as_stored, enlarge, strip, write_aside, write_png
from jaxrestore import metrics
from jaxrestore.operators import Grayscale, Mask, is_blind
from jaxrestore.operators.chains import described
from jaxrestore.solve.search import Restoration


def put_back(image: Any, y: Any, operator: Any) -> Any:
    """What was measured of the image itself, put back: known pixels, or the luma; any other task's image as it is."""
    if isinstance(operator, Mask):
        return jnp.where(operator.known > 0, y, image)
    return image + y - operator(image) if isinstance(operator, Grayscale) else image


def write(problem: Any, result: Restoration, about: dict[str, Any], uncertainty: bool = False) -> None:
    """All files of one image (`job.Problem`). The record is the last: an image without one isn't finished."""
    entry, start, y, reference = problem[:4]
    entry.record.unlink(missing_ok=True)  # of another run, whose image this one would be taken for
    image = np.asarray(result.image)
    if not np.all(np.isfinite(image)):
        raise ImageError(f"{entry.input}: the restoration failed, {result.sentences[0]}.")
    kernels = [np.asarray(kernel) for kernel in kernels_of(result.operator)] if is_blind(start) else []
    if kernels:
        pictures = [np.pad(np.round(255 * kernel / kernel.max()).astype(np.uint8), 1) for kernel in kernels]
        write_png(entry.kernel, enlarge(np.concatenate(pictures, axis=1), 8))
        about = {**about, "estimated_kernels": [kernel.tolist() for kernel in kernels]}
    found = described(result.operator) if is_blind(start) else None
    if found is not None:
        write_json(entry.operator, found)
        about = {**about, "estimated_operator": found}
    if uncertainty:
        about = {**about, "uncertainty": write_uncertainty(entry.uncertainty, np.asarray(result.samples), reference)}
    seen = np.asarray(view(start, jnp.asarray(y)))
    shown = [seen, image] if reference is None else [seen, image, reference]
    write_png(entry.strip, enlarge(strip(shown), max(1, 256 // image.shape[0])))
    record = {
        **about,
        "input": str(entry.input),
        "output": str(entry.output),
        "result": result.sentences[0],
        "iterations_run": int(result.iterations),
        "data_term": float(result.data_term),
        "device": str(jax.devices()[0].device_kind),
        "versions": {name: version(name) for name in ("jaxrestore", "jax", "flax", "optax", "numpy")},
    }
    if reference is not None:
        seen = jnp.asarray(as_stored(image))
        truth = jnp.asarray(reference)
        record |= {"psnr": float(metrics.psnr(seen, truth)), "ssim": float(metrics.ssim(seen, truth))}
    write_png(entry.output, image)
    write_json(entry.record, record)
    scores = "" if reference is None else f", PSNR {record['psnr']:.2f} dB, SSIM {record['ssim']:.3f}"
    print(f"{entry.output}: {record['result']}, data term {record['data_term']:.5f}{scores}")


def write_json(path: Path, value: Any) -> None:
    write_aside(path, lambda aside: aside.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n"))


def write_uncertainty(path: Path, samples: np.ndarray, reference: np.ndarray | None) -> dict[str, float]:
    """A grey picture of the deviation over restarts ``[restarts, h, w, c]``, its largest value white; that value and the
    mean in grey levels, and with a reference the rank correlation with the error of the mean image."""
    deviation = metrics.uncertainty(jnp.asarray(samples))
    largest = float(jnp.max(deviation))
    write_png(path, np.asarray(2 * deviation / max(largest, 1e-12) - 1)[..., None])
    about = {"largest": 127.5 * largest, "mean": 127.5 * float(jnp.mean(deviation))}
    if reference is None:
        return about
    error = np.abs(samples.mean(0) - reference).mean(-1)
    return about | {"rank_correlation": float(metrics.rank_correlation(deviation, jnp.asarray(error)))}


def settings_of(method: Any) -> dict[str, Any]:
    """The scalars and names of a method, for the record."""
    values = {field.name: getattr(method, field.name) for field in dataclasses.fields(method)}
    values = {name: float(value) if isinstance(value, jax.Array) else value for name, value in values.items()}
    return {name: value for name, value in values.items() if isinstance(value, int | float | str)}


def plain(options: Any) -> dict[str, Any]:
    """Flags as JSON can hold them."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
