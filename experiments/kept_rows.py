"""Rows that stay in the repository: one line for all images that share problem and settings, with a list in the place of each
score. Documents are made of these lines and of nothing else."""

import json
from collections.abc import Sequence
from pathlib import Path

from workers import Row

RESULTS = Path(__file__).parent / "results"


def grouped(rows: list[Row], about: Sequence[str], image: str, shared: Sequence[str] = ()) -> list[Row]:
    """The rows that agree in `about` as one: `image` and the numbers that differ by image as lists, `shared` of the first."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_key(row, about), []).append(row)
    joined = []
    for group in groups.values():
        group = sorted({row[image]: row for row in group}.values(), key=lambda row: row[image])
        listed = [name for name in group[0] if name not in (*about, *shared)]
        joined.append({key: group[0][key] for key in (*about, *shared)})
        joined[-1] |= {name: [_short(row[name]) for row in group if name in row] for name in listed}
    return joined


def _short(value: object) -> object:
    """With five digits behind the point, four of what is small."""
    if isinstance(value, list):
        return [_short(one) for one in value]
    if not isinstance(value, float):
        return value
    return round(value, 5) if abs(value) >= 1e-3 else float(f"{value:.4g}")


def read(name: str) -> list[Row]:
    """What the file of results holds; nothing if there is none."""
    path = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(name: str, rows: list[Row]) -> list[Row]:
    """The rows of a whole plan in the place of what the file of results holds; as it then reads."""
    text = "".join(json.dumps({key: _short(value) for key, value in row.items()}) + "\n" for row in rows)
    (RESULTS / f"{name}.jsonl").write_text(text)
    return read(name)


def kept(name: str, rows: list[Row], about: Sequence[str], image: str) -> list[Row]:
    """What the file of results holds and these grouped rows, newer ones first where both have an image; written."""
    by_entry = {_key(row, about): row for row in read(name)}
    for row in rows:
        entry = _key(row, about)
        by_entry[entry] = _joined(by_entry[entry], row, about, image) if entry in by_entry else row
    return keep(name, list(by_entry.values()))


def replaced(name: str, row: Row, about: Sequence[str]) -> None:
    """This row in the place of the one that agrees with it in `about` and in its machine's device, else as another; shown."""

    def known(row: Row) -> list:
        return [row["machine"]["device"], *map(row.get, about)]

    print({key: value for key, value in row.items() if key != "machine"}, flush=True)
    keep(name, [*(old for old in read(name) if known(old) != known(row)), row])


def _joined(old: Row, new: Row, about: Sequence[str], image: str) -> Row:
    """Of all images that either has. Where not every image has every number, the row of more images."""
    listed = [key for key, value in new.items() if key not in about and isinstance(value, list)]
    if any(len(row.get(key, ())) != len(row[image]) for row in (old, new) for key in listed):
        return new if len(old[image]) <= len(new[image]) else old
    places = {name: (row, index) for row in (old, new) for index, name in enumerate(row[image])}
    return new | {key: [row[key][index] for _, (row, index) in sorted(places.items())] for key in listed}


def missing(name: str, plan: list[Row], about: Sequence[str], image: str) -> list[Row]:
    """The entries that the file of results doesn't hold."""
    images = {_key(row, about): row[image] for row in read(name)}
    return [entry for entry in plan if entry[image] not in images.get(_key(entry, about), ())]


def _key(row: Row, about: Sequence[str]) -> str:
    return json.dumps([row[key] for key in about], sort_keys=True)
