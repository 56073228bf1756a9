"""Gen2Res: what fine-tuning the prior on an album is worth, behind a strong mixture of blur, noise and a codec.

    python experiments/gen2res_constraint.py --data eval.tar

Ten photographs of the tuning half, two of each class. At equal K and equal steps of fine-tuning: the prior as it is, tuned on
photographs of other classes, on an album generated from the degraded photograph, and on the other photographs of its class
in the tuning half. For five of them K grows as in figure 8 of the paper. Several draws of each are scored, one is shown.

Writes the tables between the marks of `docs/gen2res.md` and its two pictures. An hour or so on two cores; resumes.
"""

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import workers
from report import insert, table

ARMS = {
    "unconstrained": "the prior as it is",
    "random album": "other classes",
    "generative album": "16 images made from the degraded one",
    "personal album": "the same class",
}
WIDE = (200, 400, 600)  # K, on the first photograph of each class
DRAWS = 4
BLUR, NOISE, QUALITY = (1.5, 1.0), 25.0, 15  # pixels, grey levels, codec
SCORES = {"psnr": "PSNR", "ssim": "SSIM", "edges": "gradient deviation"}


class Subject(NamedTuple):
    """A photograph, and which others of the tuning half are of its class."""

    name: str
    clean: np.ndarray
    y: np.ndarray
    same: list[int]
    others: list[int]


def subjects(found: Any) -> list[Subject]:
    """Two of each class: the first of all classes, then the second."""
    import flowers

    items = found.items
    classes = sorted({kind(item) for item in items})
    chosen = []
    for share in (1 / 4, 3 / 4):
        for name in classes:
            mine = [i for i, item in enumerate(items) if kind(item) == name]
            index = mine[int(share * len(mine))]
            same = [i for i in mine if i != index]
            others = [i for i in range(len(items)) if i not in mine]
            drawn = np.random.default_rng(index).permutation(others)[: len(same)].tolist()
            clean = flowers.reduced(read(items[index]))
            title = items[index].name.split(":")[-1]
            chosen.append(Subject(title, clean, degraded(title, clean), same, drawn))
    return chosen


def read(item: Any) -> bytes:
    with item.path.open("rb") as stream:
        stream.seek(item.start)
        return stream.read(item.size)


def kind(item: Any) -> str:
    return item.name.split(":")[-1].split("/")[0]


def degraded(name: str, clean: np.ndarray) -> np.ndarray:
    """Blurred, noisy, and through a codec."""
    import jax
    import jax.numpy as jnp

    from jaxrestore import operators as ops
    from jaxrestore import simulate
    from jaxrestore.files.images import as_stored, jpeg

    blurred = ops.Blur.create(ops.GaussianKernel.create(11, BLUR)(), "reflect")(jnp.asarray(clean))
    noisy = simulate.gaussian_noise(jax.random.key(zlib.crc32(name.encode())), blurred, NOISE / 255)
    return jpeg(as_stored(np.asarray(noisy)), QUALITY)


def tuning_half(data: Path, shape: tuple[int, int, int]) -> Any:
    """Even positions of the sorted names."""
    from jaxrestore.training.sources import photographs

    found = photographs(data, shape)
    return found._replace(items=found.items[::2])


def constrained(arm: str, prior: Any, subject: Subject, found: Any, settings: Any, key: Any) -> tuple[Any, int]:
    """The prior of an arm, and how many images its album had."""
    from dataclasses import replace

    import jax.numpy as jnp

    from jaxrestore.solve.constraining import constrain

    if arm == "unconstrained":
        return prior, 0
    settings = replace(settings, personal_steps=settings.finetuning.steps)  # equal for all
    if arm == "generative album":
        return constrain(prior, key, settings, y=jnp.asarray(subject.y))[0], settings.album
    numbers = subject.same if arm == "personal album" else subject.others
    album = found._replace(items=[found.items[i] for i in numbers])
    return constrain(prior, key, settings, album=album)[0], len(numbers)


def measure(mine: list[int], data: Path, out: Path, worker: str) -> None:
    """Every arm of these photographs, but what `out` holds already."""
    import time
    from dataclasses import replace

    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore import metrics
    from jaxrestore.solve.constraining import constraint, regenerator

    jax.config.update("jax_compilation_cache_dir", str((out / "cache").absolute()))
    prior, settings = jr.load_prior("flowers64"), constraint(None, "flowers64")
    found, about = tuning_half(data, prior.shape), str((settings, BLUR, NOISE, QUALITY))
    done = {(row["about"], row["name"], row["arm"]) for row in workers.read_rows(out)}
    everyone = subjects(found)
    for number in mine:
        subject = everyone[number]
        key = jax.random.key(zlib.crc32(subject.name.encode()))
        clean = jnp.asarray(subject.clean)
        for arm in ARMS:
            if (about, subject.name, arm) in done:
                continue
            began = time.perf_counter()
            tuned, size = constrained(arm, prior, subject, found, settings, key)
            seconds, results, shown = time.perf_counter() - began, {}, {}
            for noise_step in dict.fromkeys((settings.noise_step, *(WIDE if number < 5 else ()))):
                method = regenerator(tuned, replace(settings, noise_step=noise_step))
                drawn = jr.restore(
                    method, jnp.asarray(subject.y), key, restarts=DRAWS, combine="mean", chunk_size=1000, devices="all"
                )
                samples, truth = drawn.samples, jnp.broadcast_to(clean, drawn.samples.shape)
                scores = (metrics.psnr, metrics.ssim, metrics.gradient_deviation)
                results[noise_step] = [[float(v) for v in score(samples, truth)] for score in scores]
                shown[str(noise_step)] = np.asarray(samples[0])
            row = {"about": about, "name": subject.name, "arm": arm, "album": size, "seconds": round(seconds, 1)}
            row |= {"scores": results, "steps": settings.finetuning.steps, "noise_step": settings.noise_step}
            path = out / f"{number}-{arm.replace(' ', '-')}.npz"
            np.savez(path, y=subject.y, clean=subject.clean, **shown)
            workers.append(out / f"results-{worker}.jsonl", row)


def shown_scores(out: Path, count: int) -> list[str]:
    """The line of the degraded photographs themselves, the first `count`."""
    import jax.numpy as jnp

    from jaxrestore import metrics

    stored = [np.load(out / f"{number}-unconstrained.npz") for number in range(count)]
    y, clean = (jnp.asarray(np.stack([one[name] for one in stored])) for name in ("y", "clean"))
    values = [float(score(y, clean).mean()) for score in (metrics.psnr, metrics.ssim, metrics.gradient_deviation)]
    return [
        "",
        "degraded",
        "",
        *(f"{value:.{digits}f}" for value, digits in zip(values, (2, 3, 4), strict=True)),
        *[""] * 3,
    ]


def report(rows: list[dict], noise_step: int, shown: list[str]) -> list[str]:
    """A line for each arm: mean scores over photographs and draws, and against the unconstrained prior, paired."""
    lines, plain = [shown], np.zeros(0)
    for arm in ARMS:
        mine = sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["name"])
        mine = [row for row in mine if str(noise_step) in row["scores"]]
        values = np.array([np.mean(row["scores"][str(noise_step)], axis=-1) for row in mine])  # photographs, scores
        plain = values if arm == "unconstrained" else plain
        change = values - plain
        error = change.std(0, ddof=1) / len(change) ** 0.5
        cells = [f"{mean:.{digits}f}" for mean, digits in zip(values.mean(0), (2, 3, 4), strict=True)]
        gains = [f"{c:+.{d}f} ± {e:.{d}f}" for c, e, d in zip(change.mean(0), error, (2, 3, 4), strict=True)]
        sizes = sorted({row["album"] for row in mine})
        album = f"{sizes[0]} to {sizes[-1]}" if sizes[0] != sizes[-1] else str(sizes[0])
        lines.append(
            [
                str(noise_step),
                arm,
                album if sizes != [0] else "",
                *cells,
                *(gains if arm != "unconstrained" else [""] * 3),
            ]
        )
    return table(["K", "prior", "album", *SCORES.values(), *(f"{name} against it" for name in SCORES.values())], lines)


def write_pictures(out: Path, docs: Path, noise_step: int) -> None:
    """A row a photograph: degraded, every arm, clean. And a row for each K, degraded, unconstrained, personal, clean."""
    from jaxrestore.files.images import enlarge, strip, write_png

    def stored(number: int, arm: str) -> Any:
        return np.load(out / f"{number}-{arm.replace(' ', '-')}.npz")

    def stacked(strips: list[np.ndarray]) -> np.ndarray:
        return enlarge(np.concatenate([np.pad(s, ((0, 2), (0, 0), (0, 0)), constant_values=1) for s in strips]), 2)

    rows = []
    for number in range(10):
        arms = [stored(number, arm) for arm in ARMS]
        rows.append(strip([arms[0]["y"], *(arm[str(noise_step)] for arm in arms), arms[0]["clean"]]))
    write_png(docs / "gen2res.png", stacked(rows))
    rows = []
    for number in range(5):
        plain, personal = (stored(number, arm) for arm in ("unconstrained", "personal album"))
        pairs = [one[str(k)] for k in WIDE for one in (plain, personal)]
        rows.append(strip([plain["y"], *pairs, plain["clean"]]))
    write_png(docs / "gen2res_steps.png", stacked(rows))


def main() -> None:
    options = workers.parser(__doc__, "out/gen2res").parse_args()

    def work(index: int) -> None:
        measure(list(range(10))[index :: options.workers], options.data, options.out, str(index))

    workers.in_workers(work, options.out, options.workers)
    from jaxrestore.solve.constraining import constraint

    settings = constraint(None, "flowers64")
    about = str((settings, BLUR, NOISE, QUALITY))
    rows = [row for row in workers.read_rows(options.out) if row["about"] == about]
    insert(options.docs / "gen2res.md", "constraint", report(rows, settings.noise_step, shown_scores(options.out, 10)))
    few = {row["name"] for row in rows if str(WIDE[-1]) in row["scores"]}
    wide = [report([row for row in rows if row["name"] in few], k, shown_scores(options.out, 5)) for k in WIDE]
    insert(options.docs / "gen2res.md", "steps", [*wide[0], *(line for lines in wide[1:] for line in lines[4:])])
    write_pictures(options.out, options.docs, settings.noise_step)


if __name__ == "__main__":
    main()
