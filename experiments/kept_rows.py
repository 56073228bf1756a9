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


def ungrouped(lines: list[Row], about: Sequence[str]) -> list[Row]:
    """The row of each image again, of lines of which every list has a value for every image."""
    rows = []
    for line in lines:
        names = [name for name in line if name not in about]
        rows += [
            {key: line[key] for key in about} | dict(zip(names, values, strict=True))
            for values in zip(*(line[name] for name in names), strict=True)
        ]
    return rows


def _short(value: object) -> object:
    return round(value, 5) if isinstance(value, float) else value


def read(name: str) -> list[Row]:
    """What the file of results holds; nothing if there is none."""
    path = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def kept(name: str, rows: list[Row], about: Sequence[str], image: str) -> list[Row]:
    """What the file of results holds, and these rows in the place of those that agree in `about` and have no more images;
    written."""
    by_entry = {_key(row, about): row for row in read(name)}
    for row in rows:
        entry = _key(row, about)
        if entry not in by_entry or len(by_entry[entry][image]) <= len(row[image]):
            by_entry[entry] = row
    (RESULTS / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in by_entry.values()))
    return list(by_entry.values())


def _key(row: Row, about: Sequence[str]) -> str:
    return json.dumps([row[key] for key in about], sort_keys=True)
