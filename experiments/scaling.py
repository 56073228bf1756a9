"""From one device to many: images a second by devices, processes and batch; and what a pod would make of it, on paper.

    python experiments/scaling.py

Denoising 16 drawn images with flowers64 (ten iterations of ten evaluations). Devices are one processor's cores under several
names (`--xla_force_host_platform_device_count`), processes share them, too: on two cores nothing can be faster than one
program that uses both, and the figures say what dividing the work costs. Ten minutes on two cores. What is in
OUT/scaling.jsonl is not measured again. Writes the tables of docs/scaling.md.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kept_rows import keep, read
from report import Parts, table, write
from speed_report import Race, processor

IMAGES = 16
PROGRAM = [sys.executable, "-m", "jaxrestore"]
FLAGS = ["--task", "denoise", "--noise-level", "30", "--iterations", "10", "--preset", "published"]
# A TPU v5e chip, as its maker publishes it: bytes of memory, operations a second in bfloat16.
POD = {"chips": 256, "memory": 16 * 2**30, "peak": 197e12}

BATCH = """
import json, sys, time
import jax, jax.numpy as jnp
import jaxrestore as jr
devices, images = map(int, sys.argv[1:])
prior = jr.load_prior("flowers64")
method = jr.bird(prior, jr.Identity(), settings=jr.published("bird", "denoise"), iterations=10)
y = jax.random.uniform(jax.random.key(0), (images, *prior.shape), minval=-1, maxval=1)
seconds = []
for _ in range(3):
    began = time.perf_counter()
    result = jr.restore(method, y, jax.random.key(1), devices=None if devices == 1 else devices)
    jax.block_until_ready(result.image)
    seconds.append(time.perf_counter() - began)
print(json.dumps({"images_per_s": images / min(seconds[1:])}))
"""


def in_devices(devices: int, images: int) -> dict[str, float]:
    """Images a second of the driver in one process; its second and third run, which compile nothing."""
    environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    command = [sys.executable, "-c", BATCH, str(devices), str(images)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def in_processes(hosts: int) -> dict[str, float]:
    """Images a second of `jaxrestore restore` on a folder, start-up and all; the second run, which compiles nothing."""
    with tempfile.TemporaryDirectory() as root:
        folder, environment = Path(root) / "in", {**os.environ, "XDG_CACHE_HOME": root}
        folder.mkdir()
        degrade = ["degrade", "jaxrestore/data/flower.jpg", str(folder / "0.png"), "--task", "denoise"]
        subprocess.run([*PROGRAM, *degrade], check=True, capture_output=True, cwd=Path(__file__).parent.parent)
        (folder / "0_clean.png").unlink()
        for i in range(1, IMAGES):
            (folder / f"{i}.png").write_bytes((folder / "0.png").read_bytes())
        for out in ("first", "second"):
            with socket.socket() as probe:
                probe.bind(("localhost", 0))
                port = probe.getsockname()[1]
            meet = [
                ["--coordinator", f"localhost:{port}", "--hosts", str(hosts), "--host-id", str(i)] for i in range(hosts)
            ]
            command = [*PROGRAM, "restore", str(folder), str(Path(root) / out), *FLAGS]
            began = time.perf_counter()
            running = [
                subprocess.Popen(
                    [*command, "--batch-size", str(IMAGES // 4), *(flags if hosts > 1 else [])],
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for flags in meet
            ]
            if any([process.wait() for process in running]):
                raise SystemExit(f"A job of {hosts} processes failed.")
            seconds = time.perf_counter() - began
        assert len(list((Path(root) / "second").glob("*.png"))) == IMAGES
        return {"images_per_s": IMAGES / seconds}


def pod() -> dict[str, float]:
    """Of a network of the shape of celeba_hq at 256 x 256, computing in bfloat16: operations of an evaluation, bytes of its
    weights, and bytes that an image's unroll takes beside them, by the compiler's count for this machine."""
    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore.networks import DDPMUNet
    from jaxrestore.runtime.profiling import flops

    network = DDPMUNet(dtype="bfloat16")
    parameters = network.shapes()
    x = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)

    def unroll(parameters: Any, x: Any) -> Any:
        prior = jr.Prior(network, parameters, jr.schedule.linear(), (256, 256, 3))
        return jr.unroll(prior, x)

    def evaluate(parameters: Any, x: Any) -> Any:
        return network(parameters, x, jnp.int32(0))

    memory: Any = jax.jit(unroll).lower(parameters, x).compile().memory_analysis()
    return {
        "operations": flops(jax.jit(evaluate).lower(parameters, x)),
        "weights": 4.0 * sum(leaf.size for leaf in jax.tree.leaves(parameters)),
        "temporary": float(memory.temp_size_in_bytes),
    }


def share_of_peak() -> float:
    """What celeba_hq, sixteen images together in bfloat16, reached of an accelerator's peak (`speed.py`)."""
    rows = [row for row in read("speed") if row["machine"]["backend"] != "cpu"]
    race = Race([row for row in rows if row["race"] == "celeba_hq"], rows)
    return float(race.share(race.rows["jax frozen, 16 images, bfloat16"]).removesuffix(" %")) / 100


def plan(about: dict[str, float], share: float) -> list[str]:
    """The pod's table: what it could do if the same share of its peak were reached, and half of it."""
    iterations, steps = 200, 10
    per_image = about["operations"] * iterations * steps
    fits = int((0.9 * POD["memory"] - about["weights"]) // about["temporary"])
    rows = [
        ["weights, float32, a copy on each chip", f"{about['weights'] / 2**30:.2f} GiB"],
        ["memory of an image's unroll beside them", f"{about['temporary'] / 2**30:.2f} GiB"],
        ["images at once on a chip of 16 GiB", str(fits)],
        ["operations of an image (200 iterations of ten evaluations)", f"{per_image / 1e12:.0f} TFLOP"],
    ]
    for part in (share, share / 2):
        rate = POD["chips"] * POD["peak"] * part / per_image
        rows.append([f"images/s of {POD['chips']} chips at {100 * part:.0f} % of 197 TFLOP/s", f"{rate:.1f}"])
        rows.append(["bytes/s in, as PNG of at most 200 kB", f"{rate * 2e5 / 1e6:.1f} MB"])
    return table(["what", "figure"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/scaling"))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "scaling.jsonl"
    done = {row["name"]: row for row in map(json.loads, path.read_text().splitlines())} if path.exists() else {}
    wanted: dict[str, Callable[[], dict[str, float]]] = {}
    wanted |= {f"{n} devices": lambda n=n: in_devices(n, IMAGES) for n in (1, 2, 4, 8)}
    wanted |= {f"{n} processes": lambda n=n: in_processes(n) for n in (1, 2, 4)}
    wanted |= {f"batch of {n}": lambda n=n: in_devices(1, n) for n in (1, 2, 4, 8)}
    wanted |= {"pod": pod}
    about = {"device": f"{os.cpu_count()} cores of {processor()}", "settings": {"images": IMAGES, "flags": FLAGS}}
    for name, measure in wanted.items():
        if name not in done:
            done[name] = {"name": name, **about, **measure()}
            with path.open("a") as file:
                file.write(json.dumps(done[name]) + "\n")
            print(done[name], flush=True)
    keep("scaling", list(done.values()))
    write(options.docs.parent, parts())


def parts() -> Parts:
    """The document's tables, of the kept rows and of those of `speed.py`."""
    by_name = {row["name"]: row for row in read("scaling")}
    first = {"devices": by_name["1 devices"], "processes": by_name["1 processes"], "batch": by_name["batch of 1"]}
    rows = []
    for name, row in by_name.items():
        kind = next((kind for kind in first if kind in name), None)
        if kind is not None:
            relative = row["images_per_s"] / first[kind]["images_per_s"]
            rows.append([name, f"{row['images_per_s']:.2f}", f"{1 / row['images_per_s']:.2f}", f"{relative:.2f}"])
    measured = [f"{by_name['pod']['device']}.", *table(["what", "images/s", "s/image", "against one"], rows)]
    return {("docs/scaling.md", "scaling"): measured, ("docs/scaling.md", "pod"): plan(by_name["pod"], share_of_peak())}


if __name__ == "__main__":
    main()
