"""A GPU or TPU in one call of ten minutes: is it right, what does precision cost, where does time go, how fast is it?

    python experiments/accelerator.py

"tests" runs the tests of networks, inversion, operators and searches there with float32 products throughout, and as the
hardware has them by default; "precision" inverts and restores the bundled photograph in each precision; "profile" says where
an iteration's time goes; "speed" runs the races of `speed.py`, beside PyTorch where there is one; "start" times commands as
a whole (`speed_start.py`). `--part` takes some. Rows are kept in `experiments/results/`, and docs/speed.md and docs/gpu.md
are made of them (`speed_report.py`).
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kept_rows
from speed_report import machine, parts, write

HERE = Path(__file__).parent
PARTS = ("tests", "precision", "profile", "speed", "start")
TESTED = ("diffusion", "networks", "density", "operators", "solve", "methods")
PRECISIONS = (("float32", "highest"), ("float32", None), ("bfloat16", None))
PROFILED = (
    {"network": "celeba_hq", "dtype": "bfloat16", "batch": 16},
    {"network": "celeba_hq"},
    {"network": "celeba_hq", "what": "full"},
    {"dtype": "bfloat16", "batch": 64},
    {},
)


def tests(precision: str | None, out: Path) -> dict[str, Any]:
    """A row: how many tests pass and fail, and which fail."""
    environment = os.environ | ({} if precision is None else {"JAX_DEFAULT_MATMUL_PRECISION": precision})
    processes = str(max(1, (os.cpu_count() or 2) - 3))  # the device itself wants to be served
    command = [sys.executable, "-m", "pytest", "-n", processes, "--maxprocesses", processes, "--tb", "short"]
    command += [f"tests/{folder}" for folder in TESTED]
    said = subprocess.run(command, cwd=HERE.parent, env=environment, capture_output=True, text=True, check=False).stdout
    (out / f"tests-{precision}.txt").write_text(said)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped)", said[-300:])}
    failed = re.findall(r"^FAILED (\S+)", said, re.MULTILINE)
    return {"part": "tests", "precision": precision, **counts, "which": failed}


def precision(dtype: str, products: str | None) -> dict[str, Any]:
    """A row: how far an evaluation is from the CPU's in float32, and what inverting and restoring lose."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import jaxrestore as jr
    from jaxrestore.files.images import PHOTOGRAPH
    from jaxrestore.simulate import gaussian_noise

    prior = jr.load_prior("flowers64", dtype, products)
    exact = jr.load_prior("flowers64", precision="highest")
    clean = jnp.asarray(jr.read_image(PHOTOGRAPH, prior, fit="crop"))
    noise = jax.random.normal(jax.random.key(0), (16, *prior.shape))
    t = jnp.linspace(0, 999, 16).astype(int)
    with jax.default_device(jax.devices("cpu")[0]):
        wanted = np.asarray(exact.predict_noise(jnp.asarray(np.asarray(noise)), jnp.asarray(np.asarray(t))))
    found = np.asarray(prior.predict_noise(noise, t))
    row: dict[str, Any] = {"part": "precision", "dtype": dtype, "precision": products}
    row["evaluation"] = float(np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)))
    inverted = jr.invert(prior, clean, skip=50, refinements=2)
    row["again"] = float(jr.metrics.psnr(jr.unroll(prior, inverted, skip=50, clip=False), clean))
    sigma = 30 / 127.5
    y = gaussian_noise(clean, jax.random.key(1), sigma)
    row["input"] = float(jr.metrics.psnr(y, clean))
    for name, make in {"bird": jr.bird, "invert2restore-literal": jr.invert2restore}.items():
        told = (jr.Identity(),) if name == "bird" else ()
        method = make(prior, *told, settings=jr.settings_for(name, "denoise", prior))
        row[name] = float(jr.metrics.psnr(jr.restore(method, y, jax.random.key(0)).image, clean))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--out", type=Path, default=Path("out/accelerator"))
    parser.add_argument("--speed", nargs="*", default=["--rounds", "5", "--minutes", "1"], help="arguments of speed.py")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # or this process takes what the others need
    about, known = {"machine": machine(torch=False)}, ("part", "dtype", "precision")
    if "tests" in options.part:
        for products in ("highest", None):
            kept_rows.replaced("accelerator", about | tests(products, options.out), known)
    if "precision" in options.part:
        for dtype, products in PRECISIONS:
            kept_rows.replaced("accelerator", about | precision(dtype, products), known)
    scripts = {
        "profile": ["speed_profile.py", *map(json.dumps, PROFILED)],
        "speed": ["speed.py", *options.speed],
        "start": ["speed_start.py"],
    }
    for part, command in scripts.items():
        if part in options.part:
            subprocess.run([sys.executable, HERE / command[0], *command[1:]], check=True, cwd=HERE.parent)
    write(HERE.parent, parts())


if __name__ == "__main__":
    main()
