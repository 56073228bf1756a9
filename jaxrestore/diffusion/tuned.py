"""What a prior knows of how it is best used: settings by method and kind of problem, beside it in `settings.json`.

    {"format": "jaxrestore settings 1", "tuned_on": {...}, "methods": {"bird": {"any": {"noise_lr": 0.05, ...}, ...}}}

The values are plain here; each method says what they mean (`methods.settings`).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from jaxrestore._files import write_json
from jaxrestore.diffusion.beside import read_beside
from jaxrestore.diffusion.checksums import record_checksum
from jaxrestore.errors import PriorError

FILE = "settings.json"
FORMAT = "jaxrestore settings 1"

Values = dict[str, Any]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Tuned:
    """A table that never changes: hashable, since it is part of a program's static arguments.

    >>> Tuned.of({"bird": {"any": {"noise_lr": 0.05}}}).find("bird", "inpaint")
    {'noise_lr': 0.05}
    """

    text: str = "{}"  # JSON of {method: {kind: {name: value}}}, keys sorted

    @staticmethod
    def of(table: dict[str, dict[str, Values]]) -> "Tuned":
        """The table of a dict of dicts of JSON values."""
        return Tuned(json.dumps(table, sort_keys=True, allow_nan=False))

    @property
    def table(self) -> dict[str, dict[str, Values]]:
        """As a dict of its own."""
        return json.loads(self.text)

    def find(self, method: str, kind: str) -> Values | None:
        """The values for a method on a kind of problem, or on "any"; None where the prior has none for the method."""
        kinds = self.table.get(method, {})
        return kinds.get(kind, kinds.get("any"))


def read_stored(path: Path) -> dict[str, Any] | None:
    """All that a file of settings holds, None where there is no file; PriorError where it is damaged."""
    stored = read_beside(path, FORMAT, "holds no settings")
    if stored is None:
        return None
    methods = stored.get("methods")
    tables = list(methods.values()) if isinstance(methods, dict) else [None]
    if not all(isinstance(kinds, dict) and all(isinstance(v, dict) for v in kinds.values()) for kinds in tables):
        raise PriorError(f'{path} is damaged: "methods" must hold values by method and kind of problem.')
    return stored


def read_tuned(folder: Path) -> Tuned:
    """The settings in a prior's folder, an empty table where there are none; PriorError where the file is damaged."""
    path = folder / FILE
    stored = read_stored(path)
    try:
        return Tuned() if stored is None else Tuned.of(stored["methods"])
    except ValueError as error:  # JSON as Python reads it has NaN
        raise PriorError(f"{path} is damaged: it holds a number that is not finite.") from error


def write_tuned(tuned: Tuned, folder: str | Path, tuned_on: dict[str, Any]) -> Path:
    """Write the settings into a prior's folder, aside first; `tuned_on` says on what they were tuned. The file's path."""
    path = Path(folder) / FILE
    write_stored(path, {"format": FORMAT, "tuned_on": tuned_on, "methods": tuned.table})
    return path


def write_stored(path: Path, stored: dict[str, Any]) -> None:
    """Write all that a file of settings holds, aside first; if it is a prior's, its checksum into the card."""
    write_json(path, stored)
    if path.name == FILE:
        record_checksum(path)
