"""Where the time of an iteration goes: shares of convolutions, products, sums, what is moved and what is elementwise.

    python experiments/speed_profile.py '{"what": "full"}' '{"network": "celeba_hq", "dtype": "bfloat16", "batch": 16}'

Of contestants of `speed.py`, by JAX's own profiler; kinds are told apart by the names that XLA gives. Writes
`experiments/results/speed_profile.jsonl`, of which `speed_report.py` makes a table in docs/speed.md.
"""

import argparse
import json
import re
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import kept_rows
from speed_programs import Contestant, in_jax
from speed_report import machine

# The first that a name matches: a kernel that is turned round is called a fusion of reverse, and is no convolution.
KINDS = {
    "moved": "reverse|transpose|copy|concatenate|pad",
    "convolutions": "conv|cudnn|fprop|dgrad|wgrad|winograd|implicit_gemm",
    "products": "dot|gemm|cublas|ynn|fmha|attention|nvjet",
    "sums": "reduce",
}
ROUNDS = 3


def kind(name: str) -> str:
    """Of what XLA or a library calls an operation."""
    return next((kind for kind, words in KINDS.items() if re.search(words, name, re.IGNORECASE)), "elementwise")


def operations(folder: Path) -> dict[str, float]:
    """Seconds by operation: an accelerator's kernels, or what the threads of a CPU's programs ran."""
    from jax.profiler import ProfileData

    (file,) = folder.rglob("*.xplane.pb")
    planes = list(ProfileData.from_file(str(file)).planes)
    devices = [plane for plane in planes if plane.name.startswith("/device:")]
    lines = [line for plane in devices or planes for line in plane.lines if _counts(line.name, bool(devices))]
    seconds: dict[str, float] = {}
    for line in lines:
        for event in line.events:
            if not event.name.startswith(("ThunkExecutor", "while", "call", "Wait")):
                name = _name(event, bool(devices))
                seconds[name] = seconds.get(name, 0.0) + event.duration_ns / 1e9
    return seconds


def _counts(line: str, device: bool) -> bool:
    """Whether a line of the trace holds operations: a stream of a device, or a thread of XLA's on a CPU."""
    return line.startswith("Stream") if device else line.startswith(("tf_XLAEigen", "tf_XLAPjRt"))


def _name(event: Any, device: bool) -> str:
    """The operation that a kernel is of: a library's kernel has a name of its own. In a graph of kernels, the kernel's."""
    operation = next((str(value) for name, value in event.stats if name == "hlo_op"), "") if device else ""
    return event.name if not operation or operation.startswith("command_buffer") else operation


def profiled(contestant: Contestant) -> dict[str, Any]:
    """A row: seconds of an iteration by kind, and of the dearest operations."""
    import jax

    iterate, _ = in_jax(contestant)
    iterate()
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(ROUNDS):
                iterate()
        seconds = operations(Path(folder))
    kinds: dict[str, float] = dict.fromkeys([*KINDS, "elementwise"], 0.0)
    for name, spent in seconds.items():
        kinds[kind(name)] += spent / ROUNDS
    dearest = [[name[:120], seconds[name] / ROUNDS] for name in sorted(seconds, key=lambda name: -seconds[name])[:12]]
    return {"contestant": asdict(contestant), "name": contestant.name, "seconds": kinds, "dearest": dearest}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contestant", nargs="+", type=lambda text: Contestant(**json.loads(text)))
    options = parser.parse_args()
    about = {"machine": machine(torch=False)}
    for contestant in options.contestant:
        kept_rows.replaced("speed_profile", about | profiled(contestant), ("contestant",))


if __name__ == "__main__":
    main()
