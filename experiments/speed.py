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
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from speed_programs import Contestant

# What glibc would give back to the kernel after every layer, and fetch again page by page.
KEEPING = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 36),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
PEAKS = [Contestant("matmul"), Contestant("convolution")]
HERE = Path(__file__).parent


def beside(ours: list[Contestant], frameworks: tuple[str, ...]) -> list[Contestant]:
    """Each in JAX, then in the other frameworks."""
    return ours + [replace(one, framework=name) for name in frameworks for one in ours]


def races(accelerator: bool, torch: bool, small: bool) -> dict[str, list[Contestant]]:
    """The contestants of each race; the first of a race is what the others are compared with."""
    frozen = Contestant()
    if small:
        tiny = replace(frozen, network="tiny", skip=500)
        both = [replace(tiny, what=what) for what in ("network", "frozen", "full")]
        return {"tiny": [*both, *PEAKS], "tiny, growth": [replace(tiny, size=32), replace(tiny, skip=200)]}
    other = ("eager", "compile") if torch else ()
    eager = ("eager",) if torch else ()
    kept = [replace(one, malloc=True) for one in beside([frozen], other)] if sys.platform == "linux" else []
    half = [replace(frozen, dtype="bfloat16"), *(replace(frozen, dtype="bfloat16", framework=f) for f in eager)]
    exact = beside([replace(frozen, precision="highest")], eager) if accelerator else []
    four = replace(frozen, batch=4)
    all_races = {
        "flowers64": [
            replace(frozen, what="network"),
            *beside([frozen], other),
            *beside([replace(frozen, what="full")], eager),
            *beside([four], eager),
            *(kept if not accelerator else []),
            *half,
            *exact,
            *PEAKS,
        ],
        "flowers64, batches": [
            *(one for n in (16, 64) for one in beside([replace(frozen, batch=n)], eager)),
            *(replace(frozen, batch=n, what="full") for n in (4, 16)),
            *PEAKS,
        ],
        "growth": [
            *(replace(frozen, size=size) for size in (64, 128, 256)),
            *(replace(frozen, skip=skip) for skip in (1000, 500, 200, 50)),
            *(replace(frozen, what="full", skip=skip) for skip in (1000, 200, 100, 50)),
            replace(frozen, iterations=10),
        ],
    }
    for network, skip in (("celeba_hq", 500), ("imagenet256", 1000)):
        short = replace(frozen, network=network, skip=100 if accelerator else skip)
        one = [replace(short, what="network"), *beside([short], other if network == "celeba_hq" else eager)]
        if accelerator or network == "celeba_hq":
            one += beside([replace(short, what="full")], eager)
        if accelerator:
            wide = [replace(short, dtype="bfloat16", batch=n) for n in (1, 4, 16, 64)]
            one += [*wide, *beside([replace(short, precision="highest")], eager)]
        else:
            one += [replace(short, batch=4)] * (network == "celeba_hq")
        all_races[network] = [
            *one,
            *(replace(p, dtype=d) for p in PEAKS for d in ("float32", "bfloat16")[: 1 + accelerator]),
        ]
    return all_races


class Process:
    """A contestant that waits for its turn."""

    def __init__(self, contestant: Contestant):
        environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false", **(KEEPING if contestant.malloc else {})}
        self.process = subprocess.Popen(
            [sys.executable, HERE / "speed_contestant.py", json.dumps(asdict(contestant))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.row: dict[str, Any] = {
            "contestant": asdict(contestant),
            "name": contestant.name,
            **self.answer(),
            "seconds": [],
        }

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


def race(contestants: list[Contestant], rounds: int, minutes: float) -> list[dict[str, Any]]:
    """Rows of all that could be started: rounds in turn, at least two of them, until the minutes are over."""
    running, rows = [], []
    for contestant in contestants:  # one after the other: compiling would disturb
        began = Process(contestant)
        if "failed" in began.row:  # out of memory, most likely: a result, too
            rows.append(began.row)
        else:
            running.append(began)
        print(f"  {contestant.name}: {began.row.get('first_s', float('nan')):.2f} s at first", flush=True)
    end = time.perf_counter() + 60 * minutes
    for number in range(rounds):
        if number < 2 or time.perf_counter() < end:
            for one in running:
                one.turn()
    return [one.end() for one in running] + rows


# Prints when the driver's first iteration was under way: a program is called once it is compiled.
WATCHED = """
import sys, time
import jaxrestore.solve.driver
from jaxrestore.__main__ import main
driver = sys.modules["jaxrestore.solve.driver"]
program = driver._chunk
def first(*arguments):
    search = program(*arguments)
    print("first", time.time(), flush=True)
    return search
driver._chunk = first
main(sys.argv[1:])
"""


def start(runs: int) -> dict[str, Any]:
    """Seconds from the start of `jaxrestore restore` to its first iteration: of the first run, and of later ones."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        noisy = Path(folder) / "noisy.png"
        degrade = ["jaxrestore/data/flower.jpg", noisy, "--task", "denoise", "--noise-level", "30"]
        subprocess.run([sys.executable, "-m", "jaxrestore", "degrade", *degrade], check=True, cwd=HERE.parent)
        restore = ["restore", noisy, noisy.with_name("out.png"), "--task", "denoise", "--iterations", "1"]
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        for _ in range(runs + 1):
            began = time.time()
            command = [sys.executable, "-c", WATCHED, *restore, "--noise-level", "30"]
            said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
            seconds.append(float(said.split("first ")[1].split()[0]) - began)
    return {"first_s": seconds[0], "seconds": seconds[1:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--minutes", type=float, default=6, help="of a race, beyond its first two rounds")
    parser.add_argument("--out", type=Path, default=Path("out/speed"))
    parser.add_argument("--docs", type=Path, default=Path(), help="where README.md, docs and experiments are")
    parser.add_argument("--small", action="store_true", help="a tiny network, to try the script")
    options = parser.parse_args()
    from speed_report import machine, report

    torch = importlib.util.find_spec("torch") is not None and not options.small
    about, path = machine(torch), options.out / "speed.jsonl"
    options.out.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    wanted = races(about["backend"] != "cpu", torch, options.small)
    if not options.small and not any(row["race"] == "start" and row["machine"] == about for row in done):
        row = {"race": "start", "machine": about, "name": "second run", **start(5)}
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        done.append(row)
    for name, contestants in wanted.items():
        if any(row["race"] == name and row["machine"] == about for row in done):
            continue
        print(name, flush=True)
        rows = [{"race": name, "machine": about, **row} for row in race(contestants, options.rounds, options.minutes)]
        with path.open("a") as file:  # a race at once: one that was cut short is run anew
            file.write("".join(json.dumps(row) + "\n" for row in rows))
        done += rows
    report([row for row in done if row["machine"] == about and row["race"] in {"start", *wanted}], options.docs)


if __name__ == "__main__":
    main()
