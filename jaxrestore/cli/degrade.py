"""The command ``jaxrestore degrade``: a photograph ruined, to try a restoration."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxrestore._files import write_aside
from jaxrestore.cli.flags import DegradationFlags, File
from jaxrestore.cli.plan import grey_levels, hint_at_grey_levels
from jaxrestore.cli.tasks import Task, named_task
from jaxrestore.errors import InputError
from jaxrestore.files.fitting import check_proportions
from jaxrestore.files.images import read_image, write_image
from jaxrestore.files.opening import open_image
from jaxrestore.operators import Operator, is_picture, kernels_of, selected
from jaxrestore.simulate import DEGRADATIONS, NoiseName, measure

RELATIVE = ("speckle", "poisson", "salt-and-pepper")  # noises that are nothing without a level, or on a sinogram


@dataclass(frozen=True, kw_only=True)
class MeasurementFlags(DegradationFlags):
    """What a photograph is measured by: flags of `degrade` and `tune`."""

    noise: NoiseName = "gaussian"
    """The noise: white, relative to brightness, of photons, of dead pixels, or BIRD's published mixture of the first two,
    with its levels."""
    degradation: Literal["jpeg", "noise", "rain", "raindrop", "blur", "reduction", "mixture"] = "rain"
    """blind: what happens to the image, and is not told to the restoration."""
    noise_level: float | None = None
    """Its standard deviation (at white; of salt-and-pepper: its share), of 255. Default: 30 for denoise, 0 for the others."""

    def level(self, task: Task) -> float:
        """Grey levels of noise; InputError for what can't be meant."""
        level = task.noise_level if self.noise_level is None else self.noise_level
        if not 0 <= level < math.inf:
            raise InputError(f"--noise-level must be a number from 0 on, not {level}.")
        hint_at_grey_levels(level)
        if self.noise == "bird" and self.noise_level is not None:
            raise InputError("--noise bird has the published levels: leave --noise-level out.")
        return level

    def measured(self, task: Task, operator: Operator, image: Array) -> Array:
        """What a camera makes of an image ``[h, w, c]``."""
        level = self.level(task)
        if self.noise in RELATIVE and (level < 0.01 or not is_picture(operator)):
            raise InputError(f"--noise {self.noise} needs --noise-level, from 0.01 on, and an image: no sinogram.")
        key = jax.random.fold_in(jax.random.key(self.seed), 1 << 20)  # apart from the keys that the operator draws from
        y = measure(operator, image, key, grey_levels(level), self.noise)
        return jnp.asarray(DEGRADATIONS[self.degradation](np.asarray(y), self.seed)) if task.blind else y


@dataclass(frozen=True, kw_only=True)
class Degrade(MeasurementFlags):
    """Degrade a clean image, to try a restoration: writes OUTPUT, and the clean image, mask or kernel beside it."""

    input: File
    """A clean image; its centre is cut out and reduced to the size."""
    output: File
    """The degraded .png (tomography: .npy); OUTPUT's name with _clean, _mask or _kernel is written beside."""
    task: str | None = None
    """What happens to it: see `jaxrestore tasks`; or give --operator."""
    size: int = 64
    """Side of the clean image: that of the prior."""

    def __call__(self) -> int:
        task, output, size = named_task(self.task, self), self.output, (self.size, self.size)
        if not 8 <= self.size <= 4096:
            raise InputError(f"--size must lie between 8 and 4096, not {self.size}.")
        read = (self.input, self.mask, self.kernel, self.operator)
        beside = {end: output.with_name(f"{output.stem}_{end}") for end in ("clean.png", "mask.png", "kernel.npy")}
        _check_overwriting([output, *beside.values()], *read)
        if self.mask is not None:
            _check_mask(self.mask, self.input)
        image = jnp.asarray(read_image(self.input, size, "crop"))
        operator = task.degrade(self, size)
        suffix = ".png" if is_picture(operator) else ".npy"
        if output.suffix.lower() != suffix:
            raise InputError(
                f"OUTPUT of {task.name} must be a {suffix} file, not {output}: nothing else would hold it."
            )
        y = self.measured(task, operator, image)
        if "--mask" in task.flags.split():
            missing = 1 - np.asarray(selected(operator, jnp.ones_like(y)))[..., 0]
            write_image(beside["mask.png"], (255 * missing).astype(np.uint8))
        kernels = [np.asarray(kernel) for kernel in kernels_of(operator)]
        if kernels:
            _write_array(beside["kernel.npy"], kernels[0] if len(kernels) == 1 else np.stack(kernels))
        write_image(beside["clean.png"], image)
        if suffix == ".npy":  # of brightness in [0, 1]
            _write_array(output, np.asarray((y + operator(jnp.ones_like(image))) / 2))
        else:
            write_image(output, y)
        what = self.degradation if task.blind else task.name
        print(f"{output}: {what} of {self.input}, {y.shape[0]} x {y.shape[1]}")
        return 0


def _check_overwriting(written: list[Path], *read: Path | None) -> None:
    for path in read:
        if path is not None and path.resolve() in {other.resolve() for other in written}:
            raise InputError(f"{path} is read, and would be written over: give another OUTPUT.")


def _check_mask(mask: Path, photograph: Path) -> None:
    """InputError unless it is in the photograph's proportions, with which it is cut, or square, as what is cut out."""
    own, whole = ((image.height, image.width) for image in map(open_image, (mask, photograph)))
    sizes = f"{own[0]} x {own[1]} pixels and {photograph} {whole[0]} x {whole[1]}"
    if own[0] != own[1]:
        check_proportions(
            own, whole, f"The mask {mask} is {sizes}: draw it in the photograph's proportions, or square."
        )


def _write_array(path: Path, array: np.ndarray) -> None:
    def write(aside: Path) -> None:
        with aside.open("wb") as stream:  # np.save appends .npy to a name
            np.save(stream, array)

    write_aside(path, write)
