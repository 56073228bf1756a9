"""Larger photographs in tiles: blended at each step of the unroll, or only at its end?

    python experiments/tiles.py --data eval.tar

Photographs of 128 x 96 pixels of the tuning half, restored with the 64-pixel prior in six tiles: heavy noise, and an unknown
motion blur of 16 pixels, one kernel for the whole. Scores: PSNR, and how much larger steps across the tiles' borders are than
elsewhere, against the same of the clean photograph (1 or less: no seam). Ten minutes on two cores. Writes a table into
docs/scaling.md, and docs/tiles.png. To expect: little between the two, and no seams in either.
"""

import io
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import flowers
import jax
import jax.numpy as jnp
import numpy as np
import workers
from kept_rows import keep, read
from PIL import Image
from report import Parts, table, write, write_rows
from workers import Row

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.diffusion.tiling import blend, cut, starts
from jaxrestore.files.images import as_stored, read_image, write_image
from jaxrestore.methods import Bird
from jaxrestore.methods.settings import values_of

TASKS = {"denoise": 30.0, "blind-motion-deblur": 2.5}  # and their noise in grey levels
WAYS = {"each step, overlap 16": (True, 16), "the end, overlap 16": (False, 16)}
HEIGHT, WIDTH, PHOTOGRAPHS = 128, 96, 2
ITERATIONS = {"denoise": 30, "blind-motion-deblur": 60}
KERNEL, PATH = 21, 16.0  # pixels


def photographs(tar: Path, count: int) -> dict[str, np.ndarray]:
    """The middles of photographs of the tuning half, at their own scale."""
    middles = {}
    with tarfile.open(tar) as archive:
        names = sorted(member.name for member in archive.getmembers() if member.isfile())[0::2]
        for name in names[:: len(names) // count][:count]:
            image = Image.open(io.BytesIO(archive.extractfile(name).read())).convert("RGB")  # type: ignore[union-attr]
            pixels = np.asarray(image, np.float32) / 127.5 - 1
            middles[name] = pixels[:, (pixels.shape[1] - WIDTH) // 2 :][:HEIGHT, :WIDTH]
    return middles


def seam(image: np.ndarray, clean: np.ndarray, overlap: int) -> float:
    """Mean step of brightness across the borders of tiles over that elsewhere, against the clean photograph's."""

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


@jr.register
@dataclass(frozen=True, kw_only=True)
class AtEnd(Bird):
    """Each tile goes its own way, from the noise that is its part of the whole's."""

    base: jr.Prior
    overlap: int = field(default=0, metadata={"static": True})

    def generate(self, noise: Any) -> Any:
        tiles = cut(noise, self.base.shape[:2], self.overlap)
        return blend(jr.unroll(self.base, tiles, **vars(self.unroll)), (HEIGHT, WIDTH), self.overlap)


def settings_of(prior: jr.Prior, task: str) -> jr.Settings:
    """The prior's, but for one search, and a number of iterations that ten minutes hold."""
    return replace(jr.settings_for("bird", task, prior), iterations=ITERATIONS[task], restarts=1)


def restored(prior: jr.Prior, task: str, way: str, y: Any, seed: int) -> np.ndarray:
    """The restored photograph."""
    each_step, overlap = WAYS[way]
    operator = jr.Identity() if task == "denoise" else jr.Blur(jr.SoftmaxKernel(KERNEL))
    whole, sigma_y = jr.tiled(prior, HEIGHT, WIDTH, overlap), 2 * TASKS[task] / 255
    method = jr.bird(whole, operator, settings=settings_of(prior, task), sigma_y=sigma_y)
    if not each_step:
        method = AtEnd(**vars(method), base=prior, overlap=overlap)
    return np.asarray(jr.restore(method, y, jax.random.key(seed)).image)


def planned(prior: jr.Prior, names: list[str]) -> list[list[Row]]:
    """Of each photograph all tasks and ways."""
    return [
        [
            {"name": name, "task": task, "way": way, "settings": values_of(settings_of(prior, task))}
            for task in TASKS
            for way in WAYS
        ]
        for name in names
    ]


def measure(plan: list[Row], number: int, clean: np.ndarray, prior: jr.Prior, out: Path, worker: int) -> None:
    """The rows of photograph number `number`, but what `out` holds already."""
    for entry in workers.unmeasured(plan, out):
        task, way = entry["task"], entry["way"]
        key = jax.random.key(number)
        kernel = jr.motion_kernel(jax.random.fold_in(key, 1), KERNEL, PATH)
        operator = jr.Identity() if task == "denoise" else jr.Blur(kernel)
        y = as_stored(np.asarray(jr.measure(operator, jnp.asarray(clean), key, 2 * TASKS[task] / 255)))
        image = restored(prior, task, way, jnp.asarray(y), number)
        row = {**entry, "psnr": float(metrics.psnr(jnp.asarray(as_stored(image)), jnp.asarray(clean)))}
        row |= {"input": float(metrics.psnr(jnp.asarray(y), jnp.asarray(clean)))}
        row |= {"seam": seam(image, clean, WAYS[way][1])}
        for what, pixels in ((str(list(WAYS).index(way)), image), ("input", y), ("clean", clean)):
            write_image(out / "images" / f"{number}-{task}-{what}.png", pixels)
        workers.append(out / f"results-{worker}.jsonl", row)


def parts() -> Parts:
    """The document's table, of the kept rows."""
    lines, rows = [], read("tiles")
    for task in TASKS:
        for way in WAYS:
            here = [row for row in rows if (row["task"], row["way"]) == (task, way)]
            means = [np.mean([row[name] for row in here]) for name in ("input", "psnr", "seam")]
            lines.append([task, way, str(len(here)), f"{means[0]:.2f}", f"{means[1]:.2f}", f"{means[2]:.3f}"])
    head = ["task", "tiles are blended at", "photographs", "input", "PSNR", "steps across borders"]
    return {("docs/scaling.md", "tiles"): ["Made by `python experiments/tiles.py`.", *table(head, lines)]}


def write_picture(out: Path, path: Path) -> None:
    """A row a task: degraded, restored in both ways, the photograph."""
    columns = ("input", *map(str, range(len(WAYS))), "clean")
    write_rows(path, [[read_image(out / "images" / f"0-{task}-{what}.png") for what in columns] for task in TASKS])


def main() -> None:
    options = workers.parser(__doc__, "out/tiles").parse_args()
    prior, images = flowers.prior(), photographs(options.data, PHOTOGRAPHS)
    plan = planned(prior, list(images))

    def work(index: int) -> None:
        for number in range(index, len(plan), options.workers):
            measure(plan[number], number, images[plan[number][0]["name"]], prior, options.out, index)

    workers.in_workers(work, options.out, options.workers)
    keep("tiles", workers.complete([entry for entries in plan for entry in entries], options.out))
    write(options.docs.parent, parts())
    write_picture(options.out, options.docs / "tiles.png")


if __name__ == "__main__":
    main()
