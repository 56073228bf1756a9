"""What a restoration writes: the image, a strip, the kernels and the operator that were found, the uncertainty, a record."""

import dataclasses
import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore import metrics
from jaxrestore._files import write_json
from jaxrestore.density import LOUD, NOVEL, novelty
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.tiling import of_a_tile
from jaxrestore.errors import ImageError, InputError
from jaxrestore.files.images import (
    as_stored,
    enlarge,
    glance,
    kernels_as_image,
    read_image,
    strip,
    strip_boxes,
    write_image,
)
from jaxrestore.files.metadata import JPEG, Metadata
from jaxrestore.operators import Operator, described, is_blind, kernels_of, kind_of, shown
from jaxrestore.runtime.compiling import outermost
from jaxrestore.solve.history import history_of
from jaxrestore.solve.result import Restoration

PACKAGES = ("jaxrestore", "jax", "flax", "optax", "numpy")
Record = dict[str, Any]  # as JSON holds it


class Files(NamedTuple):
    """Where the files of a restoration go."""

    image: Path
    strip: Path
    kernel: Path
    operator: Path
    uncertainty: Path
    record: Path

    @staticmethod
    def beside(image: str | Path) -> "Files":
        """Those of one image: all others beside it, with its name, but for the record, which is ``run.json`` (or
        ``x_run.json``, where that is another image's).

        >>> Files.beside("out/x.png").kernel.name, Files.beside("out/x.jpg").kernel.name
        ('x_kernel.png', 'x.jpg_kernel.png')
        """
        image = Path(image)
        ends = {"strip": "png", "kernel": "png", "operator": "json", "uncertainty": "png"}
        others = {name: image.with_name(f"{label_of(image)}_{name}.{end}") for name, end in ends.items()}
        return Files(image, **others, record=image.with_name("run.json"))

    @staticmethod
    def in_folders(image: Path) -> "Files":
        """Those of one image of a folder: in sub-folders of the restored image's."""
        folder, name = image.parent, image.name
        return Files(
            image=image,
            strip=folder / "strips" / name,
            kernel=folder / "kernels" / name,
            operator=folder / "operators" / f"{image.stem}.json",
            uncertainty=folder / "uncertainty" / name,
            record=folder / "runs" / f"{image.stem}.json",
        )

    def own_record(self) -> Path:
        """Where the record is written: `record`; where that lies beside the image and is another image's, it stays as it is.

        InputError where the other name is taken, too.
        """
        if self.record.parent != self.image.parent:
            return self.record
        names = (self.record, self.image.with_name(f"{label_of(self.image)}_run.json"))
        outputs = [Path(str(read_record(path).get("output", ""))).name for path in names]
        for wanted in (self.image.name, ""):  # its own, or none's
            if wanted in outputs:
                return names[outputs.index(wanted)]
        raise InputError(f"{names[1]} is another image's record already: give another OUTPUT.")


def label_of(image: Path) -> str:
    """By which what lies beside it is called: x.png and x.jpg may lie in one folder."""
    return image.stem if image.suffix.lower() == ".png" else image.name


def read_record(path: Path) -> Record:
    """A record that was written; an empty one where there is none, or something else."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


@runtime_checkable
class Used(Protocol):
    """What the record says of a method, a dataclass: how it was set, and the operator that it started from."""

    @property
    def prior(self) -> Prior: ...

    @property
    def operator(self) -> Operator: ...

    @property
    def restarts(self) -> int: ...

    @property
    def combine(self) -> str: ...


def write_restoration(
    files: str | Path | Files,
    method: Used,
    y: np.ndarray | Array,
    result: Restoration,
    *,
    reference: np.ndarray | Array | None = None,
    uncertainty: bool = False,
    metadata: Metadata | None = None,
    about: Record | None = None,
) -> Record:
    """Write all files of one restored image, as `jaxrestore restore` does, and give the record.

    `files` is the .png (.jpg, .webp, .tif) of the image, beside which the others go, or a name for each (`Files`):

    - the restored image, with the `metadata` of its photograph where they are given (`read_metadata`), and a strip of the
      measurement, the restored image and, where there is one, the `reference`, large ones reduced;
    - of an operator with unknowns the kernels that were found, as a picture, and the operator as JSON, which can be read
      again (``jaxrestore restore --operator``);
    - with `uncertainty` a picture of where restarts disagree (white: most);
    - the record, ``run.json``: the method's settings, how the search ended, the data term, also on the way, how unlike the
      photographs of a calibrated prior this one is (`density.novelty`), versions, PSNR and SSIM of the image as stored, and
      of a measurement of its size, against the `reference` ``[h, w, c]``, which is used for nothing else; and what is given
      as `about`. ``jaxrestore report`` makes a page of it.
      It is the last that is written: an image without one isn't finished. Where run.json is of another image beside this
      one, it is ``x_run.json``.

    `result` and `y` are of one image (`image_of` of a batch). ImageError for an image that isn't finite, InputError for a
    file that can't be written. Not for jit: it writes files.

    >>> import tempfile, jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior, mask = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5), jr.Mask(jr.box_mask((8, 8), 3))
    >>> method = jr.bird(prior, mask, iterations=5, skip=250, restarts=2, combine="mean")
    >>> y = mask(jnp.full((8, 8, 3), 0.1))
    >>> result = jr.restore(method, y, jax.random.key(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     record = jr.write_restoration(f"{folder}/x.png", method, y, result, uncertainty=True)
    ...     sorted(path.name for path in Path(folder).iterdir()), record["result"]
    (['run.json', 'x.png', 'x_strip.png', 'x_uncertainty.png'], 'all 5 iterations were run')
    """
    files = files if isinstance(files, Files) else Files.beside(files)
    files.own_record().unlink(missing_ok=True)  # of another run, whose image this one would be taken for
    image, record = np.asarray(result.image), dict(about or {})
    if not np.all(np.isfinite(image)):
        raise ImageError(f"{record.get('input', files.image)}: the restoration failed, {result.message}.")
    clean = None if reference is None else np.asarray(reference)
    record |= {"method": plain_settings(method), "class": type(method).__name__}
    record |= {"restarts": method.restarts, "combine": method.combine, "history": history_of(result)}
    if is_blind(method.operator):
        record |= _write_found(files, result.operator)
    if result.restarts is not None:  # before what was measured was put back
        terms = np.asarray(result.restarts.data_term).tolist()
        record["data_terms_of_restarts"] = [term if math.isfinite(term) else None for term in terms]
    if uncertainty and result.restarts is not None:
        record["uncertainty"] = _write_uncertainty(files.uncertainty, np.asarray(result.restarts.image), clean)
    seen = np.asarray(shown(method.operator, jnp.asarray(y)))
    row, enlarged = [seen, image] if clean is None else [seen, image, clean], max(1, 256 // image.shape[0])
    row = [glance(picture) for picture in row]
    write_image(files.strip, enlarge(strip(row), enlarged))
    boxes = zip(("measurement", "restored", "reference"), strip_boxes(row), strict=False)
    record["strip"] = {name: [enlarged * number for number in box] for name, box in boxes}
    record |= {
        "output": str(files.image),
        "result": result.message,
        "iterations_run": int(result.iterations),
        "data_term": float(result.data_term),
        "device": str(jax.devices()[0].device_kind),
        "versions": {name: version(name) for name in PACKAGES},
    }
    if (novel := _novelty_found(method, jnp.asarray(y), jnp.asarray(image))) is not None:
        record["novelty"] = novel
    write_image(files.image, image, metadata)
    if clean is not None:
        lossy = files.image.suffix.lower() in JPEG
        held = read_image(files.image)[..., : image.shape[-1]] if lossy else as_stored(image)
        stored, truth = jnp.asarray(held), jnp.asarray(clean)
        record |= _fidelity(stored, truth)
        if seen.shape == clean.shape:
            given = _fidelity(jnp.asarray(as_stored(seen)), truth)
            record |= {f"{name}_of_measurement": value for name, value in given.items()}
    write_json(files.own_record(), record)
    return record


def _fidelity(image: Array, clean: Array) -> Record:
    psnr = float(metrics.psnr(image, clean))
    return {"psnr": psnr if math.isfinite(psnr) else "infinite", "ssim": float(metrics.ssim(image, clean))}


_novelty_and_noise = outermost(lambda prior, image: (novelty(prior, image), metrics.estimate_sigma_y(image)))


def _novelty_found(method: Used, y: Array, image: Array) -> Record | None:
    """How unlike its photographs the prior finds the measurement, where that is the image itself, else what was restored of
    it, which is drawn to them; of a tiled image its middle. And the limit for its photographs, where noise leaves one. None
    for a prior that doesn't know its photographs."""
    if method.prior.statistics is None or method.prior.latent is not None or image.shape != method.prior.shape:
        return None
    of = "measurement" if kind_of(method.operator) == "denoise" else "restoration"
    score, noise = map(float, _novelty_and_noise(*of_a_tile(method.prior, y if of == "measurement" else image)))
    return {"of": of, "score": score, "limit": NOVEL if noise < LOUD else None} if math.isfinite(score) else None


def plain_settings(method: object) -> Record:
    """How a method is set, as JSON can hold it: numbers and words, and those of its parts; not the prior, not the operator.

    >>> import jaxrestore as jr
    >>> plain_settings(jr.any_of(jr.plateau(0.01)))
    {'rules': [{'name': 'Plateau', 'fraction': 0.01, 'patience': 20}]}
    """
    fields = dataclasses.fields(method)  # type: ignore[arg-type]
    plain = {field.name: _plain(getattr(method, field.name)) for field in fields if field.name != "operator"}
    return {name: value for name, value in plain.items() if value is not None}


def _plain(value: object) -> Any:
    """A setting, or None for what is none."""
    if isinstance(value, jax.Array | np.ndarray):
        if value.ndim > 1 or value.size > 16:  # no setting: a kernel, statistics
            return None
        digits = [float(f"{number:.7g}") for number in np.ravel(value).tolist()]  # that a float32 has
        return digits if value.ndim else digits[0]
    if isinstance(value, tuple) and all(dataclasses.is_dataclass(part) for part in value):
        return [{"name": type(part).__name__, **plain_settings(part)} for part in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, Prior):
        return plain_settings(value)
    return value if isinstance(value, bool | int | float | str) else None


def _write_found(files: Files, operator: Operator) -> Record:
    """The estimated kernels and operator."""
    record: Record = {}
    operator = jax.tree.map(jnp.asarray, operator)  # NumPy's products differ in the last bits
    kernels = [np.asarray(kernel) for kernel in kernels_of(operator)]
    if kernels:
        write_image(files.kernel, enlarge(kernels_as_image(kernels), 8))
        record["estimated_kernels"] = [kernel.tolist() for kernel in kernels]
    steps = described(operator)
    if steps is not None:
        write_json(files.operator, steps)
        record["estimated_operator"] = steps
    return record


def _write_uncertainty(
    path: Path, samples: Float[np.ndarray, "restarts h w c"], reference: Float[np.ndarray, "h w c"] | None
) -> dict[str, float]:
    """A grey picture of the deviation over restarts, its largest value white; that value and the mean in grey levels, and
    with a reference the rank correlation with the error of the mean image."""
    deviation = metrics.uncertainty(jnp.asarray(samples))
    largest = float(jnp.max(deviation))
    write_image(path, np.asarray(2 * deviation / max(largest, 1e-12) - 1)[..., None])
    about = {"largest": 127.5 * largest, "mean": 127.5 * float(jnp.mean(deviation))}
    if reference is None:
        return about
    error = np.abs(samples.mean(0) - reference).mean(-1)
    return about | {"rank_correlation": float(metrics.rank_correlation(deviation, jnp.asarray(error)))}
