"""What experiments need around their measuring: workers, results that survive a kill, arguments.

A worker holds one core: XLA's convolutions of this size use no more.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def append(path: Path, row: dict[str, Any]) -> None:
    """One JSON line more; a line that a kill has cut is ended first."""
    data = path.read_bytes() if path.exists() else b""
    with path.open("a") as stream:
        stream.write("\n" * (data != b"" and not data.endswith(b"\n")) + json.dumps(row) + "\n")


def read_rows(out: Path) -> list[dict[str, Any]]:
    """All results so far; a line cut by a kill is left out and measured again."""
    rows = []
    for path in sorted(out.glob("results-*.jsonl")):
        for line in path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
    return rows


def in_workers(work: Callable[[int], None], out: Path, workers: int) -> None:
    """``work(index)`` in as many processes, of one core each: the script starts itself again."""
    mine = os.environ.get("EXPERIMENT_WORKER")
    if mine is not None:
        if hasattr(os, "sched_setaffinity"):  # before JAX counts the cores
            os.sched_setaffinity(0, {int(mine) % (os.cpu_count() or 1)})
        work(int(mine))
        raise SystemExit(0)
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *sys.argv]
    children = [
        subprocess.Popen(command, env={**os.environ, "EXPERIMENT_WORKER": str(index)}) for index in range(workers)
    ]
    failed = [child.wait() for child in children]
    if any(failed):
        raise SystemExit(f"A worker failed (exit codes {failed}); run the same command to go on.")


def parser(description: str | None, out: str) -> argparse.ArgumentParser:
    """The arguments that the experiments share."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True, help="eval.tar of the flower photographs")
    made.add_argument("--out", type=Path, default=Path(out))
    made.add_argument("--docs", type=Path, default=Path("docs"))
    made.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    return made
