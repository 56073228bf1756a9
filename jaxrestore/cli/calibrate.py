"""The command ``jaxrestore calibrate``."""

from dataclasses import dataclass

from jaxrestore.cli.flags import File, PriorName
from jaxrestore.density.calibration import calibrate_folder


@dataclass(frozen=True)
class Calibrate:
    """Measure what clean photographs' noise has under a prior, for the task blind: writes typical.json into its folder."""

    prior: PriorName
    """The prior's folder."""
    photographs: File
    """A folder of a few dozen clean photographs of the prior's kind; 64 of more are used."""

    def __call__(self) -> int:
        print(calibrate_folder(self.prior, self.photographs))
        return 0
