"""Gen2Res: what fine-tuning the prior on an album is worth, behind a strong mixture of blur, noise and a codec.

    python experiments/gen2res_constraint.py --data eval.tar

Ten photographs of the tuning half, two of each class. At equal K and equal steps of fine-tuning: the prior as it is, tuned on
photographs of other classes, on an album generated from the degraded photograph, and on the other photographs of its class
in the tuning half. For five of them K grows as in figure 8 of the paper. Several draws of each are scored, one is shown.

Writes the tables between the marks of `docs/gen2res.md` and its two pictures (`gen2res_report.py`). Half an hour on two
cores; resumes. To expect at K = 200: the generative album gains 0.4 dB on the prior as it is, the others less than 0.1 dB.
"""

import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import flowers
import gen2res_report as reporting
import numpy as np
import workers
from kept_rows import keep
from report import write
from workers import Row

COUNT, GROWN = 10, 5  # photographs, and those of them for which K grows: the first of each class
DEPTHS = (199, 399, 599)  # of those; the paper's K is one more
DRAWS = 4
BLUR, NOISE, QUALITY = (1.5, 1.0), 25.0, 15  # pixels, grey levels, codec


class Subject(NamedTuple):
    """A photograph, and which others of the tuning half are of its class."""

    name: str
    clean: np.ndarray
    y: np.ndarray
    same: list[int]
    others: list[int]


def subjects(half: Any) -> list[Subject]:
    """Two of each class: the first of all classes, then the second."""
    items = half.items
    posed = []
    for share in (1 / 4, 3 / 4):
        for name in sorted({kind(item) for item in items}):
            mine = [i for i, item in enumerate(items) if kind(item) == name]
            index = mine[int(share * len(mine))]
            same = [i for i in mine if i != index]
            others = [i for i in range(len(items)) if i not in mine]
            drawn = np.random.default_rng(index).permutation(others)[: len(same)].tolist()
            clean = flowers.reduced(read(items[index]))
            title = items[index].name.split(":")[-1]
            posed.append(Subject(title, clean, degraded(title, clean), same, drawn))
    return posed


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

    import jaxrestore as jr
    from jaxrestore.files.images import as_stored, jpeg

    blur = jr.Blur(jr.GaussianKernel(11, BLUR)())
    noisy = jr.measure(blur, jnp.asarray(clean), jax.random.key(zlib.crc32(name.encode())), 2 * NOISE / 255)
    return jpeg(as_stored(np.asarray(noisy)), QUALITY)


def tuning_half(data: Path, shape: tuple[int, int, int]) -> Any:
    """Even positions of the sorted names."""
    from jaxrestore.training.sources import photographs

    both = photographs(data, shape)
    return both._replace(items=both.items[::2])


def constrained(arm: str, prior: Any, subject: Subject, half: Any, settings: Any, key: Any) -> tuple[Any, int]:
    """The prior of an arm, and how many images its album had."""
    import jax.numpy as jnp

    import jaxrestore as jr

    if arm == "unconstrained":
        return prior, 0
    settings = replace(settings, personal_steps=settings.finetuning.steps)  # equal for all
    if arm == "generative album":
        return jr.constrain(prior, key, settings, y=jnp.asarray(subject.y))[0], settings.album
    numbers = subject.same if arm == "personal album" else subject.others
    album = half._replace(items=[half.items[i] for i in numbers])
    return jr.constrain(prior, key, settings, album=album)[0], len(numbers)


def planned(everyone: list[Subject], numbers: range, prior: Any) -> list[Row]:
    """Every arm of these photographs."""
    import jaxrestore as jr
    from jaxrestore.methods.settings import values_of

    settings = jr.settings_for("gen2res", "any", prior)
    about = {"settings": values_of(settings), "degraded": [*BLUR, NOISE, QUALITY]}
    return [
        {
            **about,
            "number": number,
            "name": everyone[number].name,
            "arm": arm,
            "depths": sorted({settings.depth, *(DEPTHS if number < GROWN else ())}),
        }
        for number in numbers
        for arm in reporting.ARMS
    ]


def measure(plan: list[Row], everyone: list[Subject], half: Any, prior: Any, out: Path, worker: int) -> None:
    """The rows of a plan, but what `out` holds already."""
    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore.solve.constraining import regenerator

    workers.keep_programs(out)
    settings = jr.settings_for("gen2res", "any", prior)
    for entry in workers.unmeasured(plan, out):
        subject, arm = everyone[entry["number"]], entry["arm"]
        key = jax.random.key(zlib.crc32(subject.name.encode()))
        began = time.perf_counter()
        tuned, size = constrained(arm, prior, subject, half, settings, key)
        seconds, scores, shown = time.perf_counter() - began, {}, {}
        for depth in entry["depths"]:
            method = replace(regenerator(tuned, replace(settings, depth=depth)), restarts=DRAWS)
            drawn = jr.restore(method, jnp.asarray(subject.y), key, chunk_size=1000, devices="all").restarts
            assert drawn is not None
            truth = jnp.broadcast_to(jnp.asarray(subject.clean), drawn.image.shape)
            scores[str(depth)] = [[float(v) for v in score(drawn.image, truth)] for score in reporting.scores()]
            shown[str(depth)] = np.asarray(drawn.image[0])
        np.savez(reporting.pictures_of(out, entry["number"], arm), y=subject.y, clean=subject.clean, **shown)
        first = [float(score(jnp.asarray(subject.y), jnp.asarray(subject.clean))) for score in reporting.scores()]
        row = {**entry, "album": size, "seconds": round(seconds, 1), "input": first, "scores": scores}
        workers.append(out / f"results-{worker}.jsonl", row)


def main() -> None:
    options = workers.parser(__doc__, "out/gen2res").parse_args()
    prior = flowers.prior()
    half = tuning_half(options.data, prior.shape)
    everyone = subjects(half)

    def work(index: int) -> None:
        plan = planned(everyone, range(COUNT)[index :: options.workers], prior)
        measure(plan, everyone, half, prior, options.out, index)

    workers.in_workers(work, options.out, options.workers)
    rows = workers.complete(planned(everyone, range(COUNT), prior), options.out)
    depth = rows[0]["settings"]["depth"]
    keep("gen2res", rows)
    write(options.docs.parent, reporting.parts())
    reporting.write_pictures(options.out, options.docs, depth, DEPTHS, COUNT, GROWN)


if __name__ == "__main__":
    main()
