"""The records of restorations, found and read for a page: what is in them is anybody's, and is looked at before use."""

import json
import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from jaxrestore.diffusion.card import is_deep
from jaxrestore.errors import InputError, InputWarning
from jaxrestore.solve.record import Files, Record

LONGEST = 2**24  # bytes of a record


class Run(NamedTuple):
    """One restoration."""

    record: Record
    files: Files  # beside the record, whatever it says of folders

    @property
    def name(self) -> str:
        return self.files.image.name


def runs_of(path: Path) -> list[Run]:
    """Those of a record, or of a folder in which records lie, by name.

    InputError where there is none, and for one that is damaged; in a folder those are left out, and an InputWarning says so.
    """
    if path.is_file():
        return [read_run(path)]
    if not path.is_dir():
        raise InputError(f"There is no file or folder {path}.")
    places = sorted({*path.glob("run.json"), *path.glob("*_run.json"), *path.glob("runs/*.json")})
    runs, damaged = [], []
    for place in places:
        try:
            runs.append(read_run(place))
        except InputError as error:
            damaged.append(str(error))
    if not runs:
        reason = f" {damaged[0]}" if damaged else " Give a run.json, or a folder into which `jaxrestore restore` wrote."
        raise InputError(f"{path} holds no record of a restoration that can be read.{reason}")
    for sentence in damaged:
        warnings.warn(f"{sentence} It is left out.", InputWarning, stacklevel=2)
    return runs


def read_run(path: Path) -> Run:
    """The restoration of a record; InputError for what is none."""
    try:
        if path.stat().st_size > LONGEST:
            raise InputError(f"{path} is no record of a restoration: it is longer than {LONGEST} bytes.")
        record = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}.") from error
    except RecursionError as error:
        raise InputError(f"{path} is damaged: its lists and objects lie too deep within each other.") from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path} is damaged: it is not JSON ({error}).") from error
    name = Path(str(record.get("output", ""))).name if isinstance(record, dict) else ""
    if not name or "result" not in record:
        raise InputError(f"{path} is no record of a restoration: `output` and `result` must be in it.")
    if is_deep(record):
        raise InputError(f"{path} is damaged: its lists and objects lie too deep within each other.")
    inside = path.parent.name == "runs"
    files = Files.in_folders(path.parent.parent / name) if inside else Files.beside(path.parent / name)
    return Run(record, files._replace(record=path))


def number(value: Any) -> float | None:
    """A finite number, or None.

    >>> number(2), number("2"), number(True), number(float("nan")), number(10**400)
    (2.0, None, None, None, None)
    """
    known = type(value) in (int, float) and abs(value) < 1e300
    return float(value) if known and math.isfinite(value) else None


def part(record: Any, name: str) -> Record:
    """An object in a record; an empty one where there is something else."""
    value = record.get(name) if isinstance(record, dict) else None
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """A list; an empty one where there is something else."""
    return value if isinstance(value, list) else []


def short(value: Any) -> str:
    """A setting as text, a path as its name.

    >>> short(0.30000000000000004), short("/home/me/a.png"), short([1, 2.5]), short("hf:a/b"), short(None)
    ('0.3', 'a.png', '1, 2.5', 'hf:a/b', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:.6g}" if isinstance(value, float) else str(value)[:40]
    if isinstance(value, list):
        return ", ".join(map(short, value[:16])) + (", ..." if len(value) > 16 else "")
    said = str(value)
    if said.startswith("/") or ("/" in said and " " not in said and not said.startswith("hf:")):
        said = Path(said).name
    return said if len(said) <= 200 else f"{said[:200]}..."


def flat(settings: Record, before: str = "") -> list[tuple[str, str]]:
    """Names and values, those within others by ``outer.inner``; what says nothing is left out.

    >>> flat({"unroll": {"skip": 100, "clip": True}, "mask": None})
    [('unroll.skip', '100'), ('unroll.clip', 'yes')]
    """
    pairs = []
    for name, value in list(settings.items())[:200]:
        if isinstance(value, dict):
            pairs += flat(value, f"{before}{short(name)}.")
        elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
            pairs += flat({str(index): one for index, one in enumerate(value)}, f"{before}{short(name)}.")
        elif value is not None and value != []:
            pairs.append((f"{before}{short(name)}", short(value)))
    return pairs
