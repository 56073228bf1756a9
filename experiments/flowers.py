"""What the experiments share: flower photographs and their degradations, and measuring settings on them in workers.

Results are JSON lines, one per image and setting, appended as soon as they exist: a killed experiment goes on where it was.
Each worker holds one core: XLA's convolutions of this size use no more.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

SIZE, BOX, SCALE, NOISE = 64, 20, 8, 30.0  # pixels, pixels, reduction, grey levels


class Setting(NamedTuple):
    """One way to restore one task: a preset's name, or a preset with changes under a label of its own."""

    task: str
    label: str
    preset: str | None = None  # None: the prior's own
    changes: tuple[tuple[str, Any], ...] = ()
    restarts: int | None = None
    combine: Any = None

    @property
    def key(self) -> str:
        return f"{self.task}/{self.label}"

    def resolved(self) -> tuple[Any, str]:
        """The preset, and all that decides the result as text: a changed preset is measured anew."""
        import jaxrestore as jr

        chosen = jr.preset("bird", self.task, self.preset or "flowers64")
        return chosen, f"{chosen} {self.changes} {self.restarts} {self.combine}"


def photographs(tar: Path, half: str, count: int) -> dict[str, np.ndarray]:
    """`count` photographs of the tuning half (even positions of the sorted names) or the test half (odd), spread evenly."""
    with tarfile.open(tar) as archive:
        names = sorted(member.name for member in archive.getmembers() if member.isfile())
        names = names[0::2] if half == "tuning" else names[1::2]
        chosen = [names[i * len(names) // count] for i in range(count)]
        return {name: _reduced(archive.extractfile(name).read()) for name in chosen}  # type: ignore[union-attr]


def _reduced(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(image, np.float32) / 127.5 - 1


def problem(task: str, name: str, image: np.ndarray) -> tuple[Any, Any]:
    """(operator to restore with, measurement as an 8-bit file holds it), the same for every setting."""
    import jax
    import jax.numpy as jnp

    from jaxrestore import operators
    from jaxrestore.degrade import box_mask
    from jaxrestore.images import as_stored
    from jaxrestore.tasks import simulate

    key = jax.random.fold_in(jax.random.key(0), zlib.crc32(name.encode()))
    blur = operators.Blur.create(np.asarray(operators.GaussianKernel.create(13, (3.0, 1.8), 0.5)()))
    operator, level = {
        "denoise": (operators.Identity(), NOISE),
        "inpaint": (operators.Mask.create(1 - box_mask((SIZE, SIZE), BOX)), 0.0),
        "super-resolution": (operators.AveragePool(SCALE), 0.0),
        "deblur": (blur, 2.5),
        "blind-deblur": (blur, 2.5),
    }[task]
    y = jnp.asarray(as_stored(simulate(key, task, jnp.asarray(image), operator, level)))  # type: ignore[arg-type]
    y = operator(y) if task == "inpaint" else y
    if task == "blind-deblur":
        operator = operators.Blur.create(operators.SoftmaxKernel.create(13, 2.0))
    return operator, y


def psnr(image: Any, reference: Any) -> float:
    return float(10 * np.log10(4 / np.mean((np.asarray(image, np.float64) - reference) ** 2)))


def shown(task: str, y: np.ndarray) -> np.ndarray:
    """The measurement as an image of full size: missing pixels black, a reduced image enlarged by Pillow's bicubic."""
    if task == "inpaint":
        hole = slice((SIZE - BOX) // 2, (SIZE + BOX) // 2)
        y = np.array(y)
        y[hole, hole] = -1
    if task == "super-resolution":
        from jaxrestore.images import to_uint8

        y = (
            np.asarray(Image.fromarray(to_uint8(y)).resize((SIZE, SIZE), Image.Resampling.BICUBIC), np.float32) / 127.5
            - 1
        )
    return y


def scores(task: str, image: np.ndarray, truth: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """PSNR and SSIM of the image as a file holds it; for inpainting also inside the box, and with the known put back."""
    from jaxrestore import metrics
    from jaxrestore.images import as_stored

    image = as_stored(image)
    found = {"psnr": psnr(image, truth), "ssim": float(metrics.ssim(image, truth))}  # type: ignore[arg-type]
    if task == "inpaint":
        hole = slice((SIZE - BOX) // 2, (SIZE + BOX) // 2)
        pasted = np.array(y)
        pasted[hole, hole] = image[hole, hole]
        found |= {"inside": psnr(image[hole, hole], truth[hole, hole]), "pasted": psnr(pasted, truth)}
    return found


def measure(settings: list[Setting], images: dict[str, np.ndarray], out: Path, worker: str, batch: int = 12) -> None:
    """Restore every image with every setting, skipping what `out` already holds."""
    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore.images import write_png
    from jaxrestore.methods import METHODS

    prior, done = jr.load_prior("flowers64"), {(row["setting"], row["about"], row["name"]) for row in read_rows(out)}
    for setting in settings:
        chosen, about = setting.resolved()
        names = [name for name in images if (setting.key, about, name) not in done]
        restarts = setting.restarts or chosen.restarts
        size = max(1, batch // restarts)
        for part in [names[i : i + size] for i in range(0, len(names), size)]:
            problems = [problem(setting.task, name, images[name]) for name in part]
            y, began = jnp.stack([y for _, y in problems]), time.perf_counter()
            level = {"denoise": 2 * NOISE / 255}.get(setting.task, 0.0)
            method = METHODS["bird"](
                prior,
                problems[0][0],
                task=setting.task,
                preset=setting.preset,
                noise_level=level,
                **dict(setting.changes),
            )
            result = jr.restore(
                method, y, jax.random.key(0), restarts=restarts, combine=setting.combine or chosen.combine
            )
            restored, samples = np.asarray(result.image), np.asarray(result.samples)
            seconds = (time.perf_counter() - began) / len(part)
            for i, name in enumerate(part):
                row = {
                    "setting": setting.key,
                    "about": about,
                    "task": setting.task,
                    "label": setting.label,
                    "name": name,
                }
                row |= {"input": psnr(shown(setting.task, np.asarray(y[i])), images[name])}
                row |= scores(setting.task, restored[i], images[name], np.asarray(y[i]))
                row |= {"single": float(np.mean([psnr(sample[i], images[name]) for sample in samples]))}
                row |= {"data_term": float(result.data_term[i]), "result": result.sentences[i], "seconds": seconds}
                row |= {"evaluations": method.iterations * 1000 // method.skip * restarts, "restarts": restarts}
                write_png(out / "images" / setting.key / f"{name.replace('/', '_')}.png", restored[i])
                with (out / f"results-{worker}.jsonl").open("a") as stream:
                    stream.write("\n" * unfinished(stream.name) + json.dumps(row) + "\n")


def read_rows(out: Path) -> list[dict[str, Any]]:
    """All results so far; a line cut by a kill is left out and measured again."""
    rows = []
    for path in sorted(out.glob("results-*.jsonl")):
        for line in path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
    return rows


def unfinished(path: str) -> bool:
    """Whether a kill has cut the file's last line."""
    data = Path(path).read_bytes()
    return data != b"" and not data.endswith(b"\n")


def complete(
    rows: list[dict[str, Any]], settings: list[Setting], images: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """The rows of these settings, as they are now, on these images, in order; ValueError if one is missing."""
    found = {(row["setting"], row["about"], row["name"]): row for row in rows}
    wanted = [(setting.key, setting.resolved()[1], name) for setting in settings for name in images]
    missing = [key for key in wanted if key not in found]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(wanted)} results are missing, the first {missing[0]}: run the command again."
        )
    return [found[key] for key in wanted]


def results(settings: list[Setting], images: dict[str, np.ndarray], out: Path, workers: int) -> list[dict[str, Any]]:
    """The rows of all settings on all images, measured in processes of one core each: the script starts itself again."""
    mine = os.environ.get("EXPERIMENT_WORKER")
    if mine is not None:
        if hasattr(os, "sched_setaffinity"):  # before JAX counts the cores
            os.sched_setaffinity(0, {int(mine)})
        measure(settings, dict(list(images.items())[int(mine) :: workers]), out, mine)
        raise SystemExit(0)
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *sys.argv]
    children = [
        subprocess.Popen(command, env={**os.environ, "EXPERIMENT_WORKER": str(index)}) for index in range(workers)
    ]
    failed = [child.wait() for child in children]
    if any(failed):
        raise SystemExit(f"A worker failed (exit codes {failed}); run the same command to go on.")
    return complete(read_rows(out), settings, images)


def parser(description: str | None, out: str) -> argparse.ArgumentParser:
    """The arguments that the experiments share."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True, help="eval.tar of the flower photographs")
    made.add_argument("--out", type=Path, default=Path(out))
    made.add_argument("--docs", type=Path, default=Path("docs"))
    made.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    return made
