"""The command ``jaxrestore calibrate``."""

from dataclasses import dataclass
from pathlib import Path

from jaxrestore.cli.flags import File, PriorName


@dataclass(frozen=True)
class Calibrate:
    """Measure what clean photographs' noise has under a prior, for the task blind: writes typical.json into its folder."""

    prior: PriorName
    """The prior's folder. Of one that comes with the package, or from the hub, --out makes a copy."""
    photographs: File
    """A folder of a few dozen clean photographs of the prior's kind; 64 of more are used."""
    out: Path | None = None
    """A new folder to make: a copy of the prior, calibrated. The prior itself stays as it is."""
    redo: bool = False
    """Measure again, and write over the calibration that the folder has."""

    def __call__(self) -> int:
        from jaxrestore.density.calibration import calibrate_folder

        print(calibrate_folder(self.prior, self.photographs, self.out, self.redo, progress=True))
        return 0
