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
from kept_rows import keep, read
from photos_prior import TEST_PART
from PIL import Image
from report import Parts, table, write

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.density import LOUD, NOVEL, novelty
from jaxrestore.files.images import as_stored, read_image
from jaxrestore.methods.settings import values_of
from jaxrestore.runtime.compiling import outermost

LEVELS = (0, 10, 30, 60)  # grey levels
TASKS = ("inpaint", "denoise", "blind-deblur", "super-resolution")
PORTRAITS = ("kodim04", "kodim15", "girl", "schoolgirls")
RESTORED = 8  # photographs of a kind and task

_novelties = outermost(lambda prior, images: jax.lax.map(lambda image: novelty(prior, image), images))


def sets(options: Any) -> dict[str, np.ndarray]:
    """The photographs by kind, ``[n, 64, 64, 3]`` each."""
    kodak = {file.stem: file for file in sorted(options.kodak.glob("kodim*.png"))}
    with tarfile.open(options.photos) as archive:
        members = {Path(member.name).stem: member for member in archive.getmembers()}
        photos = {name: io.BytesIO(archive.extractfile(members[name]).read()) for name in TEST_PART}  # type: ignore[union-attr]
    for name, data in photos.items():
        (options.out / f"{name}.png").write_bytes(data.getvalue())
    files = kodak | {name: options.out / f"{name}.png" for name in TEST_PART}
    whole = {name: read_image(file, (flowers.SIZE, flowers.SIZE), "crop") for name, file in files.items()}
    halves = {half: list(flowers.photographs(options.data, half, 50).values()) for half in ("tuning", "test")}
    return {
        "flowers, tuning half": np.stack(halves["tuning"]),
        "flowers, test half": np.stack(halves["test"]),
        "Kodak, reduced": np.stack([whole[name] for name in kodak]),
        "Kodak, 64 pixels of the middle": np.stack([middle(file) for file in kodak.values()]),
        "other photographs, reduced": np.stack([whole[name] for name in TEST_PART]),
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
        settings = jr.settings_for("bird", task, prior)
        sigma_y = jnp.float32(60 / 255 if task == "denoise" else 0)
        operator = flowers.start(problem, settings)
        method = jr.bird(prior, operator, settings=settings, sigma_y=sigma_y, restarts=1, combine="mean")
        found.append(np.asarray(jr.restore(method, jnp.asarray(problem.y), jax.random.key(0)).image))
    return np.stack(found)


def planned(names: list[str], prior: jr.Prior) -> list[workers.Row]:
    """Every kind with every level of noise; flowers of the test half and Kodak's photographs after every task."""
    noises = [{"kind": name, "what": f"noise {level}", "settings": {}} for name in names for level in LEVELS]
    settings = {task: values_of(jr.settings_for("bird", task, prior)) for task in TASKS}
    restored = [{"what": task, "settings": settings[task]} for task in TASKS]
    return noises + [{"kind": name, **one} for one in restored for name in (names[1], names[2])]


def measure(prior: jr.Prior, images: dict[str, np.ndarray], out: Path) -> None:
    """The rows of the plan, but what `out` holds already."""
    for entry in workers.unmeasured(planned(list(images), prior), out):
        kind, what = entry["kind"], entry["what"]
        row = dict(entry)
        if what in TASKS:
            shown = restored(prior, what, images[kind][:RESTORED], out)
        else:
            shown = noisy(images[kind], int(what.split()[1]))
            row["estimated"] = np.asarray(metrics.estimate_sigma_y(jnp.asarray(shown))).tolist()
        row["scores"] = [round(float(score), 3) for score in _novelties(prior, jnp.asarray(shown))]
        workers.append(out / "results-0.jsonl", row)


def cost(prior: jr.Prior) -> dict[str, float]:
    """Seconds to compile a score, and to take one: the least of ten, in this process."""
    score, image, seconds = outermost(novelty), jnp.zeros(prior.shape), []
    for _ in range(11):
        began = time.perf_counter()
        jax.block_until_ready(score(prior, image))
        seconds.append(time.perf_counter() - began)
    return {"seconds": min(seconds), "compilation": seconds[0] - min(seconds)}


def parts() -> Parts:
    """The document's tables, of the kept rows."""
    rows = [row for row in read("kinds_of_photographs") if "scores" in row]
    (took,) = (row for row in read("kinds_of_photographs") if "compilation" in row)
    by_entry = {(row["kind"], row["what"]): row for row in rows}
    names = list(dict.fromkeys(row["kind"] for row in rows))

    def cell(kind: str, what: str) -> str:
        row = by_entry[kind, what]
        values, told = np.array(row["scores"]), np.array(row.get("estimated", 0.0)) < LOUD
        return f"{100 * np.mean(told & (values > NOVEL)):.0f} % ({np.median(values):.1f})"

    columns = [f"noise {level}" for level in LEVELS]
    counts = [f"{len(by_entry[name, columns[0]]['scores'])}" for name in names]
    first = [[name, count, *(cell(name, what) for what in columns)] for name, count in zip(names, counts, strict=True)]
    second = [[task, *(cell(name, task) for name in (names[1], names[2]))] for task in TASKS]
    head = ["photographs", "number", "clean", *(f"noise of {level}" for level in LEVELS[1:])]
    costs = [["a score", f"{1e3 * took['seconds']:.0f} ms"]]
    costs += [["the first one more, for compiling, where no earlier command has", f"{took['compilation']:.1f} s"]]
    return {
        ("docs/novelty.md", "kinds"): table(head, first),
        ("docs/novelty.md", "restored kinds"): table(["restored by", names[1], names[2]], second),
        ("docs/novelty.md", "cost"): table(["what", "takes"], costs),
    }


def limit(rows: list[workers.Row]) -> float:
    """Which limit the tuning half asks for."""
    quiet = [row for row in rows if row["kind"] == "flowers, tuning half" and row["what"] not in (*TASKS, "noise 60")]
    return float(np.quantile(np.concatenate([row["scores"] for row in quiet]), 0.95))


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
    rows = workers.complete(planned(list(images), prior), options.out)
    keep("kinds_of_photographs", [*rows, costs])
    write(options.docs.parent, parts())
    print(f"The tuning half asks for a limit of {limit(rows):.2f}; it is {NOVEL}.")


if __name__ == "__main__":
    main()
