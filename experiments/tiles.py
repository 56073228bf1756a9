"""Larger photographs in tiles: blended at each step of the unroll, or only at its end?

    python experiments/tiles.py --data eval.tar

Photographs of 128 x 96 pixels of the tuning half, restored with the 64-pixel prior in six tiles: heavy noise, and an unknown
motion blur of 16 pixels, one kernel for the whole. Scores: PSNR, and how much larger steps across the tiles' borders are than
elsewhere, against the same of the clean photograph (1 or less: no seam). Ten minutes on two cores. Writes a table into
docs/scaling.md, and docs/tiles.png. To expect: little between the two, and no seams in either.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import workers
from report import insert, table

TASKS = {"denoise": 30.0, "blind-motion-deblur": 2.5}  # and their noise in grey levels
WAYS = {"each step, overlap 16": (True, 16), "the end, overlap 16": (False, 16)}
HEIGHT, WIDTH, PHOTOGRAPHS = 128, 96, 2
ITERATIONS = {"denoise": 30, "blind-motion-deblur": 60}
KERNEL, PATH = 21, 16.0  # pixels


def photographs(tar: Path, count: int) -> dict[str, np.ndarray]:
    """The middles of photographs of the tuning half, at their own scale."""
    import io
    import tarfile

    from PIL import Image

    found = {}
    with tarfile.open(tar) as archive:
        names = sorted(member.name for member in archive.getmembers() if member.isfile())[0::2]
        for name in names[:: len(names) // count][:count]:
            image = Image.open(io.BytesIO(archive.extractfile(name).read())).convert("RGB")  # type: ignore[union-attr]
            pixels = np.asarray(image, np.float32) / 127.5 - 1
            found[name] = pixels[:, (pixels.shape[1] - WIDTH) // 2 :][:HEIGHT, :WIDTH]
    return found


def seam(image: np.ndarray, clean: np.ndarray, overlap: int) -> float:
    """Mean step of brightness across the borders of tiles over that elsewhere, against the clean photograph's."""
    from jaxrestore.diffusion.tiling import starts

    def ratio(pixels: np.ndarray) -> float:
        steps = [np.abs(np.diff(pixels, axis=axis)).mean((1 - axis, 2)) for axis in (0, 1)]
        across, elsewhere = [], []
        for side, along in zip(pixels.shape[:2], steps, strict=True):
            first = starts(side, 64, overlap)
            edges = {start - 1 for start in first[1:]} | {start + 63 for start in first[:-1]}
            across += [along[i] for i in edges]
            elsewhere += [value for i, value in enumerate(along) if i not in edges]
        return float(np.mean(across) / np.mean(elsewhere))

    return ratio(image) / ratio(clean)


def restore(task: str, way: str, y: Any, seed: int) -> np.ndarray:
    """The restored photograph."""
    import jax

    import jaxrestore as jr
    from jaxrestore import operators as ops
    from jaxrestore._pytree import register
    from jaxrestore.diffusion.tiling import blend, cut
    from jaxrestore.methods.descent import Descent

    @register
    @dataclass(frozen=True)
    class AtEnd(Descent):
        """Each tile goes its own way, from the noise that is its part of the whole's."""

        base: Any = None
        overlap: int = field(default=0, metadata={"static": True})

        def generate(self, noise: Any) -> Any:
            tiles = cut(noise, self.base.shape[:2], self.overlap)
            given = {"skip": self.skip, "grid": self.grid, "clip": self.clip, "gradient": self.gradient}
            return blend(jr.unroll(self.base, tiles, **given), (HEIGHT, WIDTH), self.overlap)

    each_step, overlap = WAYS[way]
    prior = jr.load_prior("flowers64")
    operator = ops.Identity() if task == "denoise" else ops.Blur.create(ops.SoftmaxKernel.create(KERNEL, 0.1 * KERNEL))
    whole = jr.tiled(prior, HEIGHT, WIDTH, overlap)
    method = jr.bird(whole, operator, task=task, noise_level=2 * TASKS[task] / 255, iterations=ITERATIONS[task])
    if not each_step:
        method = AtEnd(**vars(method), base=prior, overlap=overlap)
    return np.asarray(jr.restore(method, y, jax.random.key(seed)).image)


def measure(data: Path, out: Path, index: int, count: int) -> None:
    """This worker's photographs, all tasks and ways; what is there is not measured again."""
    import jax
    import jax.numpy as jnp

    from jaxrestore import operators as ops
    from jaxrestore import simulate
    from jaxrestore.files.images import as_stored, write_png
    from jaxrestore import metrics

    done = {(row["name"], row["task"], row["way"]) for row in workers.read_rows(out)}
    for number, (name, clean) in enumerate(photographs(data, PHOTOGRAPHS).items()):
        if number % count != index:
            continue
        for task, level in TASKS.items():
            key = jax.random.key(number)
            kernel = simulate.motion_kernel(jax.random.fold_in(key, 1), KERNEL, PATH)
            degraded = jnp.asarray(clean) if task == "denoise" else ops.Blur.create(kernel)(jnp.asarray(clean))
            noise = jax.random.normal(key, clean.shape) * 2 * level / 255
            y = as_stored(np.asarray(degraded + noise))
            for way in WAYS:
                if (name, task, way) in done:
                    continue
                image = restore(task, way, jnp.asarray(y), number)
                psnr = {"psnr": float(metrics.psnr(jnp.asarray(as_stored(image)), jnp.asarray(clean)))}
                psnr |= {"input": float(metrics.psnr(jnp.asarray(y), jnp.asarray(clean)))}
                row = {"name": name, "task": task, "way": way, **psnr, "seam": seam(image, clean, WAYS[way][1])}
                stem = f"{number}-{task}"
                for what, pixels in ((f"{list(WAYS).index(way)}", image), ("input", y), ("clean", clean)):
                    write_png(out / "images" / f"{stem}-{what}.png", pixels)
                workers.append(out / f"results-{index}.jsonl", row)
                print(row, flush=True)


def report(out: Path, docs: Path) -> None:
    from jaxrestore.files.images import enlarge, read_image, strip, write_png

    rows, lines = workers.read_rows(out), []
    for task in TASKS:
        for way in WAYS:
            chosen = [row for row in rows if (row["task"], row["way"]) == (task, way)]
            means = [np.mean([row[name] for row in chosen]) for name in ("input", "psnr", "seam")]
            lines.append([task, way, str(len(chosen)), f"{means[0]:.2f}", f"{means[1]:.2f}", f"{means[2]:.3f}"])
    head = ["task", "tiles are blended at", "photographs", "input", "PSNR", "steps across borders"]
    insert(docs / "scaling.md", "tiles", ["Made by `python experiments/tiles.py`.", *table(head, lines)])
    shown = []
    for task in TASKS:
        parts = [out / "images" / f"0-{task}-{what}.png" for what in ("input", *map(str, range(len(WAYS))), "clean")]
        shown.append(strip([read_image(path) for path in parts]))
    write_png(docs / "tiles.png", enlarge(np.concatenate(shown), 2))


def main() -> None:
    options = workers.parser(__doc__, "out/tiles").parse_args()
    if options.workers:
        workers.in_workers(
            lambda index: measure(options.data, options.out, index, options.workers), options.out, options.workers
        )
    report(options.out, options.docs)


if __name__ == "__main__":
    main()
