"""What the experiments share: flower photographs, their degradations, and measuring settings on them in workers.

Results are JSON lines, one per photograph and setting, appended as soon as they exist. A worker holds whole settings: each
compiles once.
"""

import io
import tarfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from workers import append, in_workers, read_rows

SIZE = 64
NOISES = {
    "shred": "none",
    "bird": "bird",
}  # SHRED's tasks are noise-free in its paper; BIRD's carry its published noise


class Setting(NamedTuple):
    """One way to restore one task: a method with a preset, and changes to it under a label of their own."""

    task: str
    label: str
    method: str = "bird"
    preset: str | None = None  # None: the prior's own
    changes: tuple[tuple[str, Any], ...] = ()
    restarts: int | None = None
    photographs: int = 1

    @property
    def key(self) -> str:
        return f"{self.task}/{self.label}"

    @property
    def noise(self) -> str:
        return "white" if (self.method, self.task) == ("shred", "denoise") else NOISES[self.method]

    def chosen(self) -> Any:
        """The preset with the changes that are settings of it."""
        import dataclasses

        import jaxrestore as jr
        from jaxrestore.methods.settings import settings_name

        chosen = jr.preset(self.method, settings_name(self.task), self.preset or "flowers64")
        return dataclasses.replace(chosen, **dict(self.changes))

    def about(self) -> str:
        """All that decides the result, as text: a changed preset is measured anew."""
        return f"{self.method} {self.chosen()} {self.restarts}"

    def evaluations(self) -> int:
        """Network evaluations of one photograph."""
        chosen = self.chosen()
        return chosen.iterations * (1000 // chosen.skip) * (self.restarts or chosen.restarts)

    def cost(self) -> int:
        """The same in time: an iteration with the full gradient was measured to take five times as long."""
        return self.evaluations() * (5 if self.chosen().gradient == "full" else 1)


def photographs(tar: Path, half: str, count: int) -> dict[str, np.ndarray]:
    """`count` photographs of the tuning half (even positions of the sorted names) or the test half (odd), spread evenly.

    Any first few of them are spread over the classes, too.
    """
    with tarfile.open(tar) as archive:
        names = sorted(member.name for member in archive.getmembers() if member.isfile())
        names = names[0::2] if half == "tuning" else names[1::2]
        order = sorted(range(count), key=lambda i: (i * 0.6180339887) % 1)  # golden section: every prefix is spread
        chosen = [names[i * len(names) // count] for i in order]
        return {name: reduced(archive.extractfile(name).read()) for name in chosen}  # type: ignore[union-attr]


def reduced(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(image, np.float32) / 127.5 - 1


class Problem(NamedTuple):
    """A degraded photograph, the same for every setting of its task and noise."""

    truth: Any  # the operator that degraded it
    given: Any  # TaskOptions: what a restoration is told
    y: Any


def problem(task: str, noise: str, name: str, image: np.ndarray, folder: Path) -> Problem:
    """The photograph degraded as `jaxrestore degrade` would: kernels, masks and noise are drawn from its name's hash.

    Gaussian kernels have log-uniform deviations of 0.7 to 2.6 pixels (3 to 10 at 256), any angle, and centres up to a pixel
    off the middle; motion kernels paths of 8 pixels. What a restoration may know is written to `folder` and read from it.
    """
    import jax
    import jax.numpy as jnp

    from jaxrestore import operators as ops
    from jaxrestore.cli.degrade import simulate
    from jaxrestore.cli.tasks import DegradeOptions, TaskOptions, kernels_of, true_operator
    from jaxrestore.files.images import as_stored, write_png

    number = zlib.crc32(name.encode())
    draw = np.random.default_rng(number)
    low, high = np.log(0.7), np.log(2.6)
    sigmas, offset = np.exp(draw.uniform(low, high, 2)), draw.uniform(-1, 1, 2)
    options = DegradeOptions(
        seed=number,
        kernel_size=11,
        sigmas=(float(sigmas[0]), float(sigmas[1])),
        angle=float(draw.uniform(0, 180)),
        offset=(float(offset[0]), float(offset[1])),
    )
    truth = true_operator(task, (SIZE, SIZE), options)
    key, level = jax.random.fold_in(jax.random.key(1), number), 30.0 * (task == "denoise")
    y = simulate(key, jnp.asarray(image), truth, level, "bird" if noise == "bird" else "gaussian")
    if task != "tomography":  # as an 8-bit file holds it
        y = jnp.asarray(as_stored(np.asarray(y)))
        y = truth(y) if isinstance(truth, ops.Mask) else y
    mask = kernel = None
    if isinstance(truth, ops.Mask):
        mask = folder / f"{task}-{number}.png"  # the task in its name: another worker may be at the same photograph
        write_png(mask, (255 * np.asarray(1 - truth.known[..., 0])).astype(np.uint8))
    elif task in ("deblur", "motion-deblur"):
        kernel = folder / f"{task}-{number}.npy"
        kernel.parent.mkdir(parents=True, exist_ok=True)
        np.save(kernel, np.asarray(kernels_of(truth)[0]))
    return Problem(truth, TaskOptions(mask=mask, kernel=kernel, seed=number % 1000), y)


def shown(given: Problem) -> np.ndarray:
    """The measurement as an image of full size: missing pixels black, grey in three channels, a small image enlarged by
    Pillow's bicubic, a sinogram by filtered back projection."""
    from jaxrestore.cli.tasks import view
    from jaxrestore.files.images import to_uint8
    from jaxrestore.operators import Mask

    y = np.asarray(view(given.truth, given.y))
    if isinstance(given.truth, Mask):
        return np.where(np.asarray(given.truth.known) > 0, y, -1)
    if y.shape[0] != SIZE:
        small = Image.fromarray(to_uint8(y)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        y = np.asarray(small, np.float32) / 127.5 - 1
    return y


def scores(blind: bool, image: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """PSNR and SSIM of the image as a file holds it; in blind tasks after the best shift of up to 3 pixels is removed, and a
    margin of 3; of a box, also with the known pixels put back."""
    import jax.numpy as jnp

    from jaxrestore.files.images import as_stored
    from jaxrestore import metrics

    pair = (jnp.asarray(as_stored(image)), jnp.asarray(truth))
    a, b = metrics.registered(*pair) if blind else pair
    return {"psnr": float(metrics.psnr(a, b)), "ssim": float(metrics.ssim(a, b))}


def measure(settings: Sequence[Setting], images: dict[str, np.ndarray], out: Path, worker: str) -> None:
    """Restore the first `photographs` images of every setting, skipping what `out` already holds."""
    import jax

    import jaxrestore as jr
    from jaxrestore.cli.job import put_back
    from jaxrestore.cli.tasks import kernels_of, task_operator
    from jaxrestore.files.images import write_png
    from jaxrestore.methods import METHODS
    from jaxrestore.methods.settings import AROUND, settings_name
    from jaxrestore.metrics.fidelity import kernel_similarity

    jax.config.update("jax_compilation_cache_dir", str((out / "cache").absolute()))
    prior, done = jr.load_prior("flowers64"), {(row["setting"], row["about"], row["name"]) for row in read_rows(out)}
    for setting in settings:
        chosen, about = setting.chosen(), setting.about()
        own = {name: value for name, value in vars(chosen).items() if name not in AROUND}
        restarts = setting.restarts or chosen.restarts
        for name in list(images)[: setting.photographs]:
            if (setting.key, about, name) in done:
                continue
            given = problem(setting.task, setting.noise, name, images[name], out / "given")
            operator = task_operator(setting.task, (SIZE, SIZE), chosen, given.given)
            blind = jr.operators.is_blind(operator) or chosen.operator == "identity"
            method = METHODS[setting.method](prior, operator, task=settings_name(setting.task), **own)
            began = time.perf_counter()
            combine = chosen.combine if restarts == chosen.restarts else "mean"
            result = jr.restore(method, given.y, jax.random.key(0), restarts=restarts, combine=combine, devices="all")
            # as the command line does: what was measured without noise is put back
            final = put_back if setting.noise == "none" else lambda image, y, operator: image
            restored, first = (np.asarray(final(x, given.y, operator)) for x in (result.image, result.samples[0]))
            seconds = time.perf_counter() - began
            row = {"setting": setting.key, "about": about, "task": setting.task, "label": setting.label, "name": name}
            row |= {"noise": setting.noise, "input": scores(blind, shown(given), images[name])["psnr"]}
            row |= scores(blind, restored, images[name])
            row |= {"single": scores(blind, first, images[name])["psnr"]}
            true, start, found = map(kernels_of, (given.truth, operator, result.operator))
            if start and jr.operators.is_blind(operator):
                for key, kernels in (("start", start), ("similarity", found)):
                    row[key] = float(np.mean([kernel_similarity(a, b) for a, b in zip(kernels, true, strict=True)]))
            row |= {"data_term": float(result.data_term), "seconds": seconds, "result": result.sentences[0]}
            row |= {"evaluations": setting.evaluations(), "restarts": restarts}
            write_png(out / "images" / setting.key / f"{name.replace('/', '_')}.png", restored)
            append(out / f"results-{worker}.jsonl", row)


def complete(rows: list[dict], settings: Sequence[Setting], images: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """The rows of these settings, as they are now, in order; ValueError if one is missing."""
    found = {(row["setting"], row["about"], row["name"]): row for row in rows}
    wanted = [
        (setting.key, setting.about(), name) for setting in settings for name in list(images)[: setting.photographs]
    ]
    missing = [key for key in wanted if key not in found]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(wanted)} results are missing, the first {missing[0]}: run the command again."
        )
    return [found[key] for key in wanted]


def shares(settings: Sequence[Setting], workers: int) -> list[list[Setting]]:
    """The settings dealt to workers, the dearest first to whoever has least."""
    loads, dealt = [0] * workers, [[] for _ in range(workers)]
    for setting in sorted(settings, key=lambda setting: -setting.cost() * setting.photographs):
        least = loads.index(min(loads))
        loads[least] += setting.cost() * setting.photographs
        dealt[least].append(setting)
    return dealt


def results(
    settings: Sequence[Setting], images: dict[str, np.ndarray], out: Path, workers: int
) -> list[dict[str, Any]]:
    """The rows of all settings, measured in workers."""

    def work(index: int) -> None:
        measure(shares(settings, workers)[index], images, out, str(index))

    in_workers(work, out, workers)
    return complete(read_rows(out), settings, images)
