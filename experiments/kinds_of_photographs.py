"""Which photographs are unlike those that a prior knows: flowers against Kodak's and others, by `density.novelty`.

    python experiments/kinds_of_photographs.py --data eval.tar --photos photos.tar --kodak kodak/

Scores of the embedded prior: of photographs with white noise of several levels, and of what is restored of a few in some
tasks. The limit `NOVEL` is that below which 19 of 20 flowers of the tuning half lie, over all levels up to 30; nothing but
flowers chose it. Above `LOUD` of estimated noise nobody is named: it lies between 30 grey levels and 60, where flowers score
as others. Ten minutes on two free cores; resumes. Writes the tables of docs/novelty.md. To expect: 19 of 20 flowers of the
test half below the limit, 9 of 10 others above, but where the image has come out of the prior; half a second a score.
"""

import io
import tarfile
import time
from pathlib import Path
from typing import Any

import flowers
import jax
import jax.numpy as jnp
import numpy as np
import workers
from PIL import Image
from report import insert, table

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.density import LOUD, NOVEL, novelty
from jaxrestore.files.images import as_stored, read_image
from jaxrestore.operators import kind_of
from jaxrestore.runtime.compiling import outermost

LEVELS = (0, 10, 30, 60)  # grey levels
TASKS = ("inpaint", "denoise", "blind-deblur", "super-resolution")
PHOTOS = ("kingfisher", "macaws", "salad_bowl", "traffic", "girl", "venetian_lagoon", "fruits", "schoolgirls")
PORTRAITS = ("kodim04", "kodim15", "girl", "schoolgirls")
RESTORED = 8  # photographs of a kind and task

_novelties = outermost(lambda prior, images: jax.lax.map(lambda image: novelty(prior, image), images))


def sets(options: Any) -> dict[str, np.ndarray]:
    """The photographs by kind, ``[n, 64, 64, 3]`` each."""
    kodak = {file.stem: file for file in sorted(options.kodak.glob("kodim*.png"))}
    with tarfile.open(options.photos) as archive:
        members = {Path(member.name).stem: member for member in archive.getmembers()}
        photos = {name: io.BytesIO(archive.extractfile(members[name]).read()) for name in PHOTOS}  # type: ignore[union-attr]
    for name, data in photos.items():
        (options.out / f"{name}.png").write_bytes(data.getvalue())
    files = kodak | {name: options.out / f"{name}.png" for name in PHOTOS}
    whole = {name: read_image(file, (flowers.SIZE, flowers.SIZE), "crop") for name, file in files.items()}
    halves = {half: list(flowers.photographs(options.data, half, 50).values()) for half in ("tuning", "test")}
    return {
        "flowers, tuning half": np.stack(halves["tuning"]),
        "flowers, test half": np.stack(halves["test"]),
        "Kodak, reduced": np.stack([whole[name] for name in kodak]),
        "Kodak, 64 pixels of the middle": np.stack([middle(file) for file in kodak.values()]),
        "other photographs, reduced": np.stack([whole[name] for name in PHOTOS]),
        "portraits among these, reduced": np.stack([whole[name] for name in PORTRAITS]),
    }


def middle(file: Path) -> np.ndarray:
    """The part in the middle of an image, as large as the prior's."""
    image = Image.open(file).convert("RGB")
    left, top = (image.width - flowers.SIZE) // 2, (image.height - flowers.SIZE) // 2
    return np.asarray(image.crop((left, top, left + flowers.SIZE, top + flowers.SIZE)), np.float32) / 127.5 - 1


def noisy(images: np.ndarray, level: int) -> np.ndarray:
    """With white noise of a number of grey levels, as a file holds it."""
    noise = [np.random.default_rng(i).normal(0, 2 * level / 255, images.shape[1:]) for i in range(len(images))]
    return as_stored(images + np.stack(noise)) if level else images


def restored(prior: jr.Prior, task: str, images: np.ndarray, out: Path) -> np.ndarray:
    """The photographs, degraded as the task has it without further noise, and restored by BIRD as tuned."""
    found = []
    for i, image in enumerate(images):
        problem = flowers.problem(task, "none", f"{task} {i}", image, out / "files")
        settings = jr.settings_for("bird", task if task.startswith("blind") else kind_of(problem.truth), prior)
        sigma_y = jnp.float32(60 / 255 if task == "denoise" else 0)
        operator = flowers.start(problem, settings)
        method = jr.bird(prior, operator, settings=settings, sigma_y=sigma_y, restarts=1, combine="mean")
        found.append(np.asarray(jr.restore(method, jnp.asarray(problem.y), jax.random.key(0)).image))
    return np.stack(found)


def planned(names: list[str]) -> list[workers.Row]:
    """Every kind with every level of noise; flowers of the test half and Kodak's photographs after every task."""
    noises = [{"kind": name, "what": f"noise {level}"} for name in names for level in LEVELS]
    return noises + [{"kind": name, "what": task} for task in TASKS for name in (names[1], names[2])]


def measure(prior: jr.Prior, images: dict[str, np.ndarray], out: Path) -> None:
    """The rows of the plan, but what `out` holds already."""
    for entry in workers.unmeasured(planned(list(images)), out):
        kind, what = entry["kind"], entry["what"]
        if what in TASKS:
            shown = restored(prior, what, images[kind][:RESTORED], out)
        else:
            shown = noisy(images[kind], int(what.split()[1]))
        scores = [round(float(score), 3) for score in _novelties(prior, jnp.asarray(shown))]
        workers.append(out / "results-0.jsonl", {**entry, "scores": scores})


def cost(prior: jr.Prior) -> list[str]:
    """Seconds to compile a score, and milliseconds to take one: the least of ten, in this process."""
    score, image, seconds = outermost(novelty), jnp.zeros(prior.shape), []
    for _ in range(11):
        began = time.perf_counter()
        jax.block_until_ready(score(prior, image))
        seconds.append(time.perf_counter() - began)
    least = min(seconds)
    head = ["a score takes", "and the first one more, for compiling, where no earlier command has"]
    return table(head, [[f"{1e3 * least:.0f} ms", f"{seconds[0] - least:.1f} s"]])


def report(rows: list[workers.Row], images: dict[str, np.ndarray]) -> tuple[list[str], list[str], float]:
    """The two tables, and the limit that the tuning half asks for."""
    scores, names = {(row["kind"], row["what"]): np.asarray(row["scores"]) for row in rows}, list(images)

    def cell(kind: str, what: str) -> str:
        values, told = scores[kind, what], np.bool_(True)
        if what not in TASKS:
            told = np.asarray(metrics.estimate_sigma_y(jnp.asarray(noisy(images[kind], int(what.split()[1]))))) < LOUD
        return f"{100 * np.mean(told & (values > NOVEL)):.0f} % ({np.median(values):.1f})"

    columns = [f"noise {level}" for level in LEVELS]
    first = [[name, f"{len(images[name])}", *(cell(name, what) for what in columns)] for name in names]
    second = [[task, *(cell(name, task) for name in (names[1], names[2]))] for task in TASKS]
    limit = np.quantile(np.concatenate([scores[names[0], what] for what in columns if what != "noise 60"]), 0.95)
    head = ["photographs", "number", "clean", *(f"noise of {level}" for level in LEVELS[1:])]
    return table(head, first), table(["restored by", names[1], names[2]], second), float(limit)


def main() -> None:
    parser = workers.parser(__doc__, "out/kinds")
    parser.add_argument("--photos", type=Path, required=True, help="photos.tar")
    parser.add_argument("--kodak", type=Path, required=True, help="the folder of kodim01.png to kodim24.png")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    prior, images = flowers.prior(), sets(options)
    costs = cost(prior)
    workers.keep_programs(options.out)
    measure(prior, images, options.out)
    of_noise, of_tasks, limit = report(workers.complete(planned(list(images)), options.out), images)
    for name, lines in (("kinds", of_noise), ("restored kinds", of_tasks), ("cost", costs)):
        insert(options.docs / "novelty.md", name, lines)
    print(f"The tuning half asks for a limit of {limit:.2f}; it is {NOVEL}.")


if __name__ == "__main__":
    main()
