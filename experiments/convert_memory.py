"""Peak memory of a conversion, on synthetic files with the shapes of public checkpoints.

    python experiments/convert_memory.py

Writes a torch file of random weights for each table of keys (`tests/golden/checkpoint_keys`), converts it in a process of
its own, and keeps what that process took at most. To expect: below 1.3 times the larger of source
and result, beside some hundred megabytes of the runtime; a source of half precision becomes a folder of its own size.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from kept_rows import keep

ROOT = Path(__file__).parent.parent
RUNS = [  # keys, type in the file, --dtype
    ("256x256_diffusion_uncond.pt", "float32", "float32"),
    ("256x256_diffusion_uncond.pt", "float32", "bfloat16"),
    ("celeba_hq.ckpt", "float32", "float32"),
    ("celeba_hq.ckpt", "float32", "bfloat16"),
    ("celeba_hq.ckpt", "float16", "source"),
]


def write(path: Path, shapes: dict[str, list[int]], kind: str) -> None:
    """A torch zip file with random numbers."""
    sys.path.insert(0, str(ROOT / "tests"))
    from torch_writer import torch_file  # pyright: ignore[reportMissingImports]

    draw = np.random.default_rng(0)
    torch_file(path, {name: draw.standard_normal(shape, np.float32).astype(kind) for name, shape in shapes.items()})


def peak(command: list[str]) -> int:
    """The most memory in bytes that a process of this command held."""
    child = os.spawnv(os.P_NOWAIT, command[0], command)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"The conversion failed with status {status}.")
    return usage.ru_maxrss * 1024


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rows = []
    for name, kind, dtype in RUNS:
        about = json.loads((ROOT / "tests" / "golden" / "checkpoint_keys" / f"{name}.json").read_text())
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder) / name, Path(folder) / "out"
            write(source, dict(about["tensors"]), kind)
            began = time.perf_counter()
            command = [sys.executable, "-m", "checkpoints_convert", str(source), str(out), "--dtype", dtype]
            most = peak(command)
            seconds = time.perf_counter() - began
            sizes = [source.stat().st_size, sum(path.stat().st_size for path in out.rglob("*") if path.is_file())]
        row = {"shapes": name, "parameters": about["parameters"], "source_dtype": kind, "dtype": dtype}
        row |= {"source_bytes": sizes[0], "result_bytes": sizes[1], "peak_bytes": most, "ratio": most / max(sizes)}
        rows.append(row | {"seconds": seconds})
        print(json.dumps(rows[-1]), flush=True)
    keep("convert_memory", rows)


if __name__ == "__main__":
    main()
