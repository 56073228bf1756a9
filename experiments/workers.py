"""What experiments need around their measuring: a plan of rows, workers, results that survive a kill, arguments.

An entry of a plan is what a row begins with and is known by: what is measured, on which photographs, with which settings. A
report takes the rows of its plan alone, whatever else lies in its folder. A worker holds one core: XLA's convolutions of this
size use no more.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]

WORKER = os.environ.get("EXPERIMENT_WORKER")  # the number of this process among those that `in_workers` starts
if WORKER is not None and hasattr(os, "sched_setaffinity"):  # here: JAX counts the cores when it is first used
    os.sched_setaffinity(0, {int(WORKER) % (os.cpu_count() or 1)})


def append(path: Path, row: Row) -> None:
    """One JSON line more; a line that a kill has cut is ended first."""
    data = path.read_bytes() if path.exists() else b""
    with path.open("a") as stream:
        stream.write("\n" * (data != b"" and not data.endswith(b"\n")) + json.dumps(row) + "\n")


def read_rows(out: Path) -> list[Row]:
    """All results so far; a line cut by a kill is left out and measured again."""
    rows = []
    for path in sorted(out.glob("results-*.jsonl")):
        for line in path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
    return rows


def unmeasured(plan: Sequence[Row], out: Path) -> list[Row]:
    """The entries of a plan of which `out` holds no row."""
    if not plan:
        return []
    measured = _by_entry(read_rows(out), plan[0])
    return [entry for entry in plan if _text(entry, entry) not in measured]


def complete(plan: Sequence[Row], out: Path) -> list[Row]:
    """The row of each entry, in the plan's order; ValueError if one is missing."""
    missing = unmeasured(plan, out)
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(plan)} results are missing, the first {missing[0]}: run the command again."
        )
    measured = _by_entry(read_rows(out), plan[0])
    return [measured[_text(entry, entry)] for entry in plan]


def _by_entry(rows: list[Row], names: Collection[str]) -> dict[str, Row]:
    return {_text(row, names): row for row in rows}


def _text(row: Row, names: Collection[str]) -> str:
    """The fields of those names, to compare."""
    return json.dumps({name: row.get(name) for name in names}, sort_keys=True)


def in_workers(work: Callable[[int], None], out: Path, workers: int) -> None:
    """``work(index)`` in as many processes, of one core each: the script starts itself again."""
    if WORKER is not None:
        work(int(WORKER))
        raise SystemExit(0)
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *sys.argv]
    children = [
        subprocess.Popen(command, env={**os.environ, "EXPERIMENT_WORKER": str(index)}) for index in range(workers)
    ]
    failed = [child.wait() for child in children]
    if any(failed):
        raise SystemExit(f"A worker failed (exit codes {failed}); run the same command to go on.")


def keep_programs(out: Path) -> None:
    """Compiled programs stay in `out`: what goes on after a kill compiles nothing again."""
    import jax

    jax.config.update("jax_compilation_cache_dir", str((out / "cache").absolute()))


def parser(description: str | None, out: str) -> argparse.ArgumentParser:
    """The arguments that the experiments share."""
    shared = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared.add_argument("--data", type=Path, required=True, help="eval.tar of the flower photographs")
    shared.add_argument("--out", type=Path, default=Path(out))
    shared.add_argument("--docs", type=Path, default=Path("docs"))
    shared.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    return shared
