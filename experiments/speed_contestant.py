"""One contestant of `speed.py`, in a process of its own: says what it is, then runs an iteration for each line it is given.

    python experiments/speed_contestant.py '{"what": "frozen", "network": "flowers64"}'

What it runs: "network" (an iteration's evaluations and nothing else), "frozen" and "full" (the driver's iteration of BIRD's
blind deblurring), "matmul" and "convolution" (for the device's peak). In JAX, or in PyTorch eagerly or compiled
(`speed_torch`). All start from the same noise and the same weights, so that their first residuals must agree.
"""

import json
import sys
import time
from pathlib import Path

from speed_programs import Contestant, in_jax, in_torch, peak

MEMORY = Path("/proc/self")


def resident(name: str) -> float:
    """VmRSS or VmHWM in MiB; nan where the system doesn't say."""
    try:
        lines = (MEMORY / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024
    except (OSError, StopIteration):
        return float("nan")


def forget_peak() -> None:
    """VmHWM counts from here."""
    try:
        (MEMORY / "clear_refs").write_text("5")
    except OSError:
        return


def device_peak(framework: str) -> float | None:
    """The most memory of the accelerator that was in use, in MiB; None on a CPU."""
    if framework != "jax":
        torch = sys.modules["torch"]
        return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None
    import jax

    statistics = jax.devices()[0].memory_stats() or {}
    return statistics["peak_bytes_in_use"] / 2**20 if "peak_bytes_in_use" in statistics else None


def main() -> None:
    contestant = Contestant(**json.loads(sys.argv[1]))
    began = time.perf_counter()
    maker = (
        peak if contestant.what in ("matmul", "convolution") else in_jax if contestant.framework == "jax" else in_torch
    )
    iterate, facts = maker(contestant)
    facts["ready_s"] = time.perf_counter() - began
    before = resident("VmRSS")
    forget_peak()
    began = time.perf_counter()
    facts["residual"] = iterate()
    facts["first_s"] = time.perf_counter() - began
    print(json.dumps(facts), flush=True)
    waits = device_peak(contestant.framework) is not None
    for _ in sys.stdin:
        if waits:  # an accelerator that has idled, and the processor that serves it, are slow at first
            iterate()
        began = time.perf_counter()
        iterate()
        print(time.perf_counter() - began, flush=True)
    memory = {"idle_mib": before, "peak_mib": resident("VmHWM"), "device_mib": device_peak(contestant.framework)}
    print(json.dumps(memory), flush=True)


if __name__ == "__main__":
    main()
