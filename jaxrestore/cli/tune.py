"""The command ``jaxrestore tune``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from jaxrestore._ranges import Range
from jaxrestore.cli.flags import File, MeasurementFlags, PriorName


@dataclass(frozen=True, kw_only=True)
class Tune(MeasurementFlags):
    """Find the settings of a method for a prior and a task: degrades photographs, restores them with candidates of equal
    cost, and writes the best into settings.json in the prior's folder, which every later restoration takes."""

    prior: PriorName
    """The prior's folder."""
    photographs: File
    """A folder of clean photographs of the prior's kind, none of which it was trained on."""
    task: str | None = None
    """What happens to them: see `jaxrestore tasks`."""
    method: (
        Literal[
            "bird",
            "shred",
            "dmplug",
            "naive-inversion",
            "d-flow",
            "diip",
            "invert2restore",
            "dreamclean",
            "dps",
            "pigdm",
            "ddnm",
            "ddrm",
            "diffpir",
            "repaint",
            "daps",
            "pnp-flow",
            "flowdps",
            "dpir",
            "blind-diffpir",
            "fast-em",
            "blind-dps",
            "gdp",
            "blind-dpir",
        ]
        | None
    ) = None
    """The method. Default: the task's."""
    preset: str | None = "published"
    """The settings to start from, which are tried, too: published, prior or general."""
    count: Annotated[int, Range(1, 10_000)] = 4
    """Photographs of the folder that are used, evenly chosen."""
    evaluations: Annotated[int, Range(1, 10_000_000)] = 600
    """Network evaluations of a restoration: all candidates cost about as many."""
    out: Path | None = None
    """The file to write, or to add to, in the place of settings.json in the prior's folder."""

    def __call__(self) -> int:
        from jaxrestore.cli.tuning import tune

        return tune(self)
