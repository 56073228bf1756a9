"""The command ``jaxrestore degrade``."""

from dataclasses import dataclass
from typing import Annotated, Literal

from jaxrestore._ranges import Range
from jaxrestore.cli.flags import File, MeasurementFlags


@dataclass(frozen=True, kw_only=True)
class Degrade(MeasurementFlags):
    """Degrade a clean image, or every image of a folder, to try a restoration: writes OUTPUT, and the clean image, mask or
    kernel beside it."""

    input: File
    """A clean image, of which a part is reduced to the size; or a folder of them, each with a seed of its own."""
    output: File
    """The degraded .png (tomography: .npy); OUTPUT's name with _clean, _mask or _kernel is written beside. Or a folder, with
    such folders beside it."""
    task: str | None = None
    """What happens to it: see `jaxrestore tasks`; or give --operator."""
    size: Annotated[int | Literal["own"], Range(8, 4096)] = 64
    """Side of the clean image: that of the prior; or own, the photograph's own height and width, but for what a reduction or
    the border of a blur takes, for the prior photos."""

    def __call__(self) -> int:
        from jaxrestore.cli.degrading import degrade, degrade_folder

        return degrade_folder(self) if self.input.is_dir() else degrade(self)
