"""Does the embedded prior remember its training photographs? The nearest of them to each of its samples.

    python experiments/memorisation.py --data eval.tar --train train.tar

Distances are root mean squares in grey levels over all photographs at 64 pixels and their mirror images, as they are, and
once without each image's mean colour and contrast. Held-out photographs are asked the same: samples that are much nearer to
training photographs than those are would be copies. Writes `docs/memorisation.png` (a sample, its nearest training photograph
by either distance, and so on) and its table in `docs/gen2res.md`. Two minutes on two cores.
"""

import tarfile
from pathlib import Path

import flowers
import numpy as np
import workers
from kept_rows import keep, read
from report import Parts, table, write

SAMPLES, SKIP = 16, 20


def training_images(tar: Path) -> np.ndarray:
    with tarfile.open(tar) as archive:
        members = sorted((member for member in archive.getmembers() if member.isfile()), key=lambda member: member.name)
        images = np.stack([flowers.reduced(archive.extractfile(member).read()) for member in members])  # type: ignore[union-attr]
    return np.concatenate([images, images[:, :, ::-1]])


def standardised(images: np.ndarray) -> np.ndarray:
    centred = images - images.mean((1, 2), keepdims=True)
    return centred / centred.std((1, 2, 3), keepdims=True)


def nearest(images: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each image the number of the nearest, and the root mean square distance."""
    flat, others = images.reshape(len(images), -1), among.reshape(len(among), -1)
    square = (flat**2).sum(1)[:, None] + (others**2).sum(1) - 2 * flat @ others.T
    return square.argmin(1), np.sqrt(square.min(1).clip(0) / flat.shape[1])


def parts() -> Parts:
    """The document's table, of the kept rows."""
    rows = read("memorisation")
    body = [
        [row["distance"], whose, f"{np.median(row[whose]):.2f}", f"{min(row[whose]):.2f}"]
        for row in rows
        for whose in ("samples", "held-out")
    ]
    number = rows[0]["training photographs"]
    title = f"Distance to the nearest of {number} training photographs and their mirror images."
    return {("docs/gen2res.md", "memorisation"): [title, *table(["distance", "of", "median", "least"], body)]}


def main() -> None:
    parser = workers.parser(__doc__, "out/memorisation")
    parser.add_argument("--train", type=Path, required=True, help="train.tar of the flower photographs")
    options = parser.parse_args()

    import jax

    import jaxrestore as jr
    from jaxrestore.files.images import enlarge, strip, write_image

    prior, training = flowers.prior(), training_images(options.train)
    noise = jax.random.normal(jax.random.key(0), (SAMPLES, *prior.shape))
    samples = np.asarray(jr.unroll(prior, noise, skip=SKIP, grid="linspace"))
    held = np.stack(list(flowers.photographs(options.data, "tuning", 64).values()))
    kept, shown = [], []
    settings = {"skip": SKIP, "grid": "linspace", "key": 0}
    for title, change in (("as they are", lambda images: images), ("standardised", standardised)):
        among = change(training)
        numbers, of_samples = nearest(change(samples), among)
        of_held = nearest(change(held), among)[1]
        scale = 127.5 if title == "as they are" else 1.0
        row = {"distance": title, "settings": settings, "training photographs": len(training) // 2}
        distances = {"samples": (scale * of_samples).tolist(), "held-out": (scale * of_held).tolist()}
        kept.append(row | distances)
        shown.append(training[numbers])
    triples = [strip([sample, *(row[i] for row in shown)]) for i, sample in enumerate(samples)]
    pad = [np.pad(triple, ((0, 6), (0, 8), (0, 0)), constant_values=1) for triple in triples]
    columns = [np.concatenate(pad[start : start + 4]) for start in range(0, SAMPLES, 4)]
    write_image(options.docs / "memorisation.png", enlarge(np.concatenate(columns, axis=1), 2))
    keep("memorisation", kept)
    write(options.docs.parent, parts())


if __name__ == "__main__":
    main()
