"""Peak memory of a conversion, on synthetic files with the shapes of public checkpoints.

    python experiments/convert_memory.py

Writes a torch file of random weights for each table of keys (`tests/golden/checkpoint_keys`), converts it in a process of
its own, and writes what that process took at most to `docs/convert.json`. To expect: below 1.3 times the larger of source
and result.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
KEYS = ("256x256_diffusion_uncond.pt", "celeba_hq.ckpt")


def write(path: Path, shapes: dict[str, list[int]]) -> None:
    """A torch zip file with random numbers."""
    sys.path.insert(0, str(ROOT / "tests"))
    from torch_writer import torch_file  # pyright: ignore[reportMissingImports]

    draw = np.random.default_rng(0)
    torch_file(path, {name: draw.standard_normal(shape, np.float32) for name, shape in shapes.items()})


def peak(command: list[str]) -> int:
    """The most memory in bytes that a process of this command held."""
    child = os.spawnv(os.P_NOWAIT, command[0], command)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"The conversion failed with status {status}.")
    return usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    rows = []
    for name in KEYS:
        about = json.loads((ROOT / "tests" / "golden" / "checkpoint_keys" / f"{name}.json").read_text())
        for dtype in ("float32", "bfloat16"):
            with tempfile.TemporaryDirectory() as folder:
                source, out = Path(folder) / name, Path(folder) / "out"
                write(source, dict(about["tensors"]))
                began = time.perf_counter()
                command = [sys.executable, "-m", "checkpoints_convert", str(source), str(out), "--dtype", dtype]
                most = peak(command)
                seconds = time.perf_counter() - began
                sizes = [source.stat().st_size, sum(path.stat().st_size for path in out.rglob("*") if path.is_file())]
            row = {"shapes": name, "parameters": about["parameters"], "dtype": dtype, "source_bytes": sizes[0]}
            row |= {"result_bytes": sizes[1], "peak_bytes": most, "ratio": most / max(sizes), "seconds": seconds}
            rows.append(row)
            print(json.dumps(row), flush=True)
    (options.docs / "convert.json").write_text("\n".join(map(json.dumps, rows)) + "\n")


if __name__ == "__main__":
    main()
