"""What an iteration costs: seconds, images a second, memory, share of the device's peak; beside PyTorch where there is one.

    python experiments/speed.py

Blind deblurring by BIRD (ten network evaluations an iteration unless said). Every contestant is a process of its own
(`speed_contestant.py`) and in a race they iterate in turn, so that the machine's moods fall on all of them and each has its
own memory and allocator. A race that is in OUT/speed.jsonl already is not run again. 50 minutes on two cores with PyTorch;
`pip install torch==2.13.0` beforehand for its columns. Writes experiments/results/speed.{jsonl,md} and the table in
docs/speed.md (`speed_report.py`). To expect: a frozen iteration at most 1.1 times its evaluations.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from speed_programs import Contestant

# What glibc would give back to the kernel after every layer, and fetch again page by page.
KEEPING = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 36),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
HERE = Path(__file__).parent


class Process:
    """A contestant that gets ready, and then waits for its turn."""

    def __init__(self, contestant: Contestant, share: float):
        environment = {**os.environ, **(KEEPING if contestant.malloc else {})}
        # of a GPU's memory: else whoever tries convolutions first takes what the others need
        environment |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "XLA_PYTHON_CLIENT_MEM_FRACTION": f"{share:.2f}"}
        self.process = subprocess.Popen(
            [sys.executable, HERE / "speed_contestant.py", json.dumps(asdict(contestant))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.row: dict[str, Any] = {"contestant": asdict(contestant), "name": contestant.name, "seconds": []}

    def ready(self) -> dict[str, Any]:
        """Waits until it has run once; the row so far."""
        self.row |= self.answer()
        return self.row

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline() or f'{{"failed": {self.process.wait()}}}')

    def turn(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.row["seconds"].append(self.answer())

    def end(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return {**self.row, **self.answer()}


def race(contestants: list[Contestant], rounds: int, minutes: float, together: int) -> list[dict[str, Any]]:
    """Rows of all that could be started: rounds in turn, at least two of them, until the minutes are over.

    Of a CPU one gets ready after the other, as compiling would disturb; of an accelerator some `together`.
    """
    running, rows = [], []
    pixels = [max(128, one.batch * (1 if one.network == "flowers64" else 16)) for one in contestants]  # each of 64 x 64
    waiting = [(one, 0.9 * count / sum(pixels)) for one, count in zip(contestants, pixels, strict=True)]
    for first in range(0, len(waiting), together):
        for began in [Process(*one) for one in waiting[first : first + together]]:
            row = began.ready()
            if "failed" in row:  # out of memory, most likely: a result, too
                rows.append(row)
            else:
                running.append(began)
            print(f"  {row['name']}: {row.get('first_s', float('nan')):.2f} s at first", flush=True)
    end = time.perf_counter() + 60 * minutes
    for number in range(rounds):
        if number < 2 or time.perf_counter() < end:
            for one in running:
                one.turn()
    return [one.end() for one in running] + rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--minutes", type=float, default=6, help="of a race, beyond its first two rounds")
    parser.add_argument("--together", type=int, default=4, help="contestants that get ready at once, on an accelerator")
    parser.add_argument("--race", nargs="+", help="some of the races")
    parser.add_argument("--out", type=Path, default=Path("out/speed"))
    parser.add_argument("--docs", type=Path, default=Path(), help="where README.md, docs and experiments are")
    parser.add_argument("--small", action="store_true", help="a tiny network, to try the script")
    options = parser.parse_args()
    from speed_races import races
    from speed_report import machine, report

    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # or this process takes what the contestants need
    torch = importlib.util.find_spec("torch") is not None and not options.small
    about, path = machine(torch), options.out / "speed.jsonl"
    accelerator = about["backend"] != "cpu"
    options.out.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    wanted = races(accelerator, torch, options.small)
    for name, contestants in wanted.items():
        if options.race and name not in options.race:
            continue
        if any(row["race"] == name and row["machine"] == about for row in done):
            continue
        print(name, flush=True)
        found = race(contestants, options.rounds, options.minutes, options.together if accelerator else 1)
        rows = [{"race": name, "machine": about, **row} for row in found]
        with path.open("a") as file:  # a race at once: one that was cut short is run anew
            file.write("".join(json.dumps(row) + "\n" for row in rows))
        done += rows
    report([row for row in done if row["machine"] == about and row["race"] in wanted], options.docs)


if __name__ == "__main__":
    main()
