"""The command ``jaxrestore demo``."""

import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Demo:
    """Degrade two bundled photographs (an unknown blur; noise and a box, heavy noise, told nothing), restore them, and say
    how well."""

    output: Path = Path("demo")
    """The folder for the pictures."""

    def __call__(self) -> int:
        from jaxrestore.cli.demonstration import demonstrate

        began = time.perf_counter()
        print(demonstrate(self.output))
        print(f"{time.perf_counter() - began:.0f} s in all")
        return 0
