"""What an iteration costs, as ratios within one run.

    python experiments/speed.py

Seconds of an iteration with frozen and with full gradient against those of its ten network evaluations alone; compile
time; temporary memory. A few minutes on two cores.
Writes `docs/speed.json` and the table in README.md. To expect: a frozen iteration at most 1.1 times its evaluations.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from report import insert

import jaxrestore as jr


def rounds(programs: dict[str, tuple[Callable, tuple]], count: int) -> dict[str, list[float]]:
    """Seconds of each program in `count` rounds, in turn: the machine's moods fall on all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(count + 1):
        for name, (program, arguments) in programs.items():
            began = time.perf_counter()
            jax.block_until_ready(program(*arguments))
            if number:  # the first round warms up
                seconds[name].append(time.perf_counter() - began)
    return seconds


def measure(batch: int, count: int) -> list[dict[str, Any]]:
    """One row per gradient mode for a batch of images."""
    prior = jr.load_prior("flowers64")
    y = jnp.zeros((batch, *prior.shape))
    operator = jr.operators.Blur.create(jr.operators.SoftmaxKernel.create(11))
    noise = jax.random.normal(jax.random.key(0), y.shape)
    networks = jax.jit(
        lambda prior, x: jax.lax.scan(lambda x, t: (prior.predict_noise(x, t), None), x, jnp.arange(10))[0]
    )
    programs: dict[str, tuple[Callable, tuple]] = {"network": (networks.lower(prior, noise).compile(), (prior, noise))}
    facts: dict[str, dict[str, float]] = {}
    for gradient in ("frozen", "full"):
        method = jr.bird(prior, operator, task="blind-deblur", preset="paper", gradient=gradient)
        state = jr.init(method, jax.random.key(0), y)
        began = time.perf_counter()
        program = jr.step.lower(method, state, y).compile()
        compile_s = time.perf_counter() - began
        memory: Any = program.memory_analysis()
        facts[gradient] = {
            "compile_s": compile_s,
            "temporary_mib": memory.temp_size_in_bytes / 2**20,
        }
        programs[gradient] = (program, (method, state, y))
    seconds = rounds(programs, count)
    rows = []
    for gradient, about in facts.items():
        ratios = [a / b for a, b in zip(seconds[gradient], seconds["network"], strict=True)]
        median = statistics.median(seconds[gradient])
        row = {"gradient": gradient, "batch": batch, "seconds": median, "image_evaluations_per_s": 10 * batch / median}
        rows.append({**row, "ratio": [min(ratios), statistics.median(ratios), max(ratios)], **about})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--root", type=Path, default=Path())
    options = parser.parse_args()
    rows = [row for batch in options.batches for row in measure(batch, options.rounds)]
    device = jax.devices()[0].device_kind
    about = {
        "device": device,
        "machine": platform.processor() or platform.machine(),
        "jax": jax.__version__,
        "rows": rows,
    }
    (options.root / "docs").mkdir(exist_ok=True)
    (options.root / "docs" / "speed.json").write_text(json.dumps(about, indent=1) + "\n")
    lines = [
        f"One iteration of blind deblurring with `flowers64` (ten network evaluations) on {jax.local_device_count()} "
        f"{device} device; ratios to its evaluations alone are minimum, median and maximum of {options.rounds} rounds "
        "in turn (`python experiments/speed.py`).",
        "",
        "| gradient | images at once | s/iteration | against its evaluations | temporary memory | compile time |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, middle, high = row["ratio"]
        lines.append(
            f"| {row['gradient']} | {row['batch']} | {row['seconds']:.2f} | {low:.2f} / {middle:.2f} / {high:.2f} "
            f"| {row['temporary_mib']:.0f} MiB | {row['compile_s']:.1f} s |"
        )
    insert(options.root / "README.md", "speed", lines)
    packages = ", ".join(f"{name} {version(name)}" for name in ("jax", "flax", "optax", "orbax-checkpoint", "numpy"))
    insert(options.root / "README.md", "versions", [f"Python {platform.python_version()}, {packages}."])
    print("\n".join(lines))


if __name__ == "__main__":
    main()
