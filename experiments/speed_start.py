"""What users wait for: commands from their start to their end, of a first run and of later ones; and, if asked, the tests.

    python experiments/speed_start.py [--tests]

Each command is a process, as a user starts it; a first run has an empty store of compiled programs. Three minutes on two
cores that do nothing else, ten with the tests. Rows stay in `experiments/results/speed_start.jsonl`, where
each device keeps its own, and the tables of docs/speed.md and the README are made of them (`speed_waits.py`). To expect: a
third of a restoration's first run is compiling.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import kept_rows

HERE = Path(__file__).parent
NAME = "speed_start"  # of the file of rows
ABOUT = ("what",)
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
COMMAND = ["-m", "jaxrestore"]
NOISY = ["--task", "denoise", "--noise-level", "30"]
RESTORE = ["restore", "noisy.png", "restored.png", *NOISY]


class Timed(NamedTuple):
    """Arguments of Python, and how often they are run after the first time."""

    arguments: list[str]
    again: int = 3


TIMED = {
    "help": Timed([*COMMAND, "--help"]),
    "to the first iteration": Timed(["-c", WATCHED, *RESTORE, "--iterations", "1"]),
    "restore": Timed([*COMMAND, *RESTORE]),
    "restore with photos": Timed([*COMMAND, *RESTORE, "--prior", "photos"]),
    "demo": Timed([*COMMAND, "demo"], again=0),
}


def timed(what: str) -> dict[str, Any]:
    """A row: seconds of the first run, and of those after it."""
    command, seconds = TIMED[what], []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        degrade = ["degrade", HERE.parent / "jaxrestore" / "data" / "flower.jpg", "noisy.png", *NOISY]
        subprocess.run([sys.executable, *COMMAND, *degrade], check=True, cwd=folder, capture_output=True)
        for _ in range(1 + command.again):
            began = time.time()
            arguments = [sys.executable, *command.arguments]
            said = subprocess.run(arguments, check=True, cwd=folder, env=environment, capture_output=True, text=True)
            ended = float(said.stdout.split("first ")[1].split()[0]) if WATCHED in command.arguments else time.time()
            seconds.append(ended - began)
    return {"what": what, "first_s": seconds[0], "seconds": seconds[1:]}


def of_tests(said: str | None) -> dict[str, Any]:
    """A row of the tests, which must pass: run here, or as pytest has said of a run of its own (the first, of several)."""
    if said is None:
        command = [sys.executable, "-m", "pytest"]
        said = subprocess.run(command, check=True, cwd=HERE.parent, capture_output=True, text=True).stdout
    last = re.search(r"^(.*\d+ passed.*) in ([\d.]+)s", said, re.MULTILINE)
    if last is None or "failed" in last[1]:
        raise SystemExit("The tests didn't pass, or nothing says so.")
    return {"what": "tests", "first_s": float(last[2]), "seconds": []}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", nargs="*", choices=[*TIMED], default=[*TIMED])
    parser.add_argument("--tests", nargs="?", const="", help="the tests, too; a file: what pytest printed of them")
    options = parser.parse_args()
    from report import write
    from speed_report import machine, parts

    about = {"machine": machine(torch=False)}
    for what in options.what:
        kept_rows.replaced(NAME, about | timed(what), ABOUT)
    if options.tests is not None:
        row = of_tests(Path(options.tests).read_text() if options.tests else None)
        kept_rows.replaced(NAME, about | row, ABOUT)
    write(HERE.parent, parts())


if __name__ == "__main__":
    main()
