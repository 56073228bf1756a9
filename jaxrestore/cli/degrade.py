"""The command ``jaxrestore degrade``: a photograph ruined, to try a restoration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from jaxrestore._files import write_aside
from jaxrestore._ranges import Range
from jaxrestore.cli.flags import File, MeasurementFlags
from jaxrestore.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Degrade(MeasurementFlags):
    """Degrade a clean image, to try a restoration: writes OUTPUT, and the clean image, mask or kernel beside it."""

    input: File
    """A clean image; its centre is cut out and reduced to the size."""
    output: File
    """The degraded .png (tomography: .npy); OUTPUT's name with _clean, _mask or _kernel is written beside."""
    task: str | None = None
    """What happens to it: see `jaxrestore tasks`; or give --operator."""
    size: Annotated[int, Range(8, 4096)] = 64
    """Side of the clean image: that of the prior."""

    def __call__(self) -> int:
        import jax.numpy as jnp
        import numpy as np

        from jaxrestore.cli.measured import measurement
        from jaxrestore.cli.tasks import named_task
        from jaxrestore.files.images import read_image, write_image
        from jaxrestore.operators import is_picture, kernels_of, selected

        task, output, size = named_task(self.task, self), self.output, (self.size, self.size)
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
        y = measurement(self, task, operator, image)
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
    from jaxrestore.files.fitting import check_proportions
    from jaxrestore.files.opening import open_image

    own, whole = ((image.height, image.width) for image in map(open_image, (mask, photograph)))
    sizes = f"{own[0]} x {own[1]} pixels and {photograph} {whole[0]} x {whole[1]}"
    if own[0] != own[1]:
        check_proportions(
            own, whole, f"The mask {mask} is {sizes}: draw it in the photograph's proportions, or square."
        )


def _write_array(path: Path, array: Any) -> None:
    import numpy as np

    def write(aside: Path) -> None:
        with aside.open("wb") as stream:  # np.save appends .npy to a name
            np.save(stream, array)

    write_aside(path, write)
