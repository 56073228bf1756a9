"""The command ``jaxrestore report``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxrestore._ranges import Range


@dataclass(frozen=True)
class Report:
    """Make one page of restorations, which needs no other file and no network: pictures with a slider between degraded and
    restored, kernels, curves, scores, settings, versions, how to cite."""

    run: tyro.conf.Positional[tuple[Path, ...]]
    """A run.json that `jaxrestore restore` wrote, or a folder into which it did; one or several."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("report.html")
    """The .html to write; one that is there is replaced."""
    pictures: Annotated[int, Range(0, 10_000)] = 50
    """How many restorations are shown; the others are in the table alone."""

    def __call__(self) -> int:
        from jaxrestore.pages import write_page

        number = write_page(self.output, list(self.run), self.pictures)
        size = self.output.stat().st_size / 1e6
        print(f"{self.output}: {number} restoration{'s' * (number != 1)}, {size:.1f} MB")
        return 0
