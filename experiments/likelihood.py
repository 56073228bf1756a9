"""Are ruined images unlikely? What a diffusion model says of clean and of ruined ones: the premise of Invert2Restore's paper.

    python experiments/likelihood.py --prior faces64
    python experiments/likelihood.py --prior flowers64 --data eval.tar

Of 16 images each (with `--data` photographs of the test half, else the prior's samples of the seeds of `faces.py`): log
density by the flow's change of variables (`jaxrestore.density.log_likelihood`), in bits a number, against the clean image's,
and the norm of the noise that the flow ends at. Writes a table into `docs/invert2restore.md`. Ten minutes for faces64 on two
cores; resumes. To expect: a blurred image is more likely than the clean one, a noisy one far less; norms on both sides of 1.
"""

import argparse
from pathlib import Path

import flowers
import jax
import jax.numpy as jnp
import numpy as np
import workers
from faces_problems import RUIN, faces
from kept_rows import grouped, kept, read
from report import Parts, interval, table, write
from untold_problems import codec, noise
from workers import Row

import jaxrestore as jr
from jaxrestore.density import log_likelihood
from jaxrestore.files.images import as_stored

COUNT, STEPS = 16, 40
PROBES = 3_000_000  # seeds of probes: no sample's own
ABOUT = ("prior", "kind", "settings")


def blurred(image: np.ndarray, seed: int) -> np.ndarray:
    return as_stored(np.asarray(jr.Blur(jr.GaussianKernel(11, (1.2, 1.2)))(jnp.asarray(image))))


KINDS = {"clean": lambda image, seed: image, "blur": blurred, "JPEG 10": codec(10)}
KINDS |= {"noise 30": noise(30)}


def measure(name: str, source: str, prior: jr.Prior, images: list[np.ndarray], out: Path) -> None:
    """The rows that `out` doesn't hold: the same probes for every kind of an image, so that differences are of it."""
    asked = jax.jit(lambda prior, image, key: log_likelihood(prior, image, key, STEPS))
    for entry in workers.unmeasured(planned(name, source, len(images)), out):
        image = jnp.asarray(KINDS[entry["kind"]](images[entry["image"]], RUIN + entry["image"]))
        found = jax.tree.map(float, asked(prior, image, jax.random.key(PROBES + entry["image"])))
        rms = (-2 * found.noise / image.size - np.log(2 * np.pi)) ** 0.5
        bits = {key: getattr(found, key) / image.size / np.log(2) for key in ("total", "noise", "volume")}
        workers.append(out / "results-0.jsonl", {**entry, **bits, "norm": rms})


def planned(name: str, source: str, count: int) -> list[Row]:
    shared = {"prior": name, "settings": {"steps": STEPS, "images": source}}
    return [{**shared, "kind": kind, "image": index} for index in range(count) for kind in KINDS]


def lines(rows: list[Row]) -> list[str]:
    """A table a prior."""
    names = dict.fromkeys(row["prior"] for row in rows)
    return [
        line for name in names for line in table_of(name, {row["kind"]: row for row in rows if row["prior"] == name})
    ]


def table_of(name: str, by_kind: dict[str, Row]) -> list[str]:
    """Each kind against clean, over the images of which every kind was asked about."""
    images = [image for image in by_kind["clean"]["image"] if all(image in row["image"] for row in by_kind.values())]

    def of(kind: str, part: str) -> np.ndarray:
        row = by_kind[kind]
        return np.array([row[part][row["image"].index(image)] for image in images])

    body = []
    for kind in by_kind:
        change, part = (of(kind, name) - of("clean", name) for name in ("total", "noise"))
        told = [interval(change, 2), f"{np.sum(change > 0)} of {len(change)}", interval(part, 2)]
        body.append([kind, f"{np.mean(of(kind, 'norm')):.3f}", *(told if kind != "clean" else [""] * 3)])
    head = ["", "norm of its noise", "log density against clean's, bits a number", "likelier than clean"]
    return ["", f"{name}, {len(images)} images:", *table([*head, "of that, N(0, I)'s part"], body)]


def parts() -> Parts:
    """The document's table, of the kept rows."""
    return {("docs/invert2restore.md", "likelihood"): lines(read("likelihood"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prior", required=True, help="a name or a folder")
    parser.add_argument("--data", type=Path, help="eval.tar of the flower photographs; without: the prior's samples")
    parser.add_argument("--out", type=Path, default=Path("out/likelihood"))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    workers.keep_programs(options.out)
    prior = jr.load_prior(options.prior)
    if options.data is None:
        images = list(faces(prior, "test", COUNT))
    else:
        images = list(flowers.photographs(options.data, "test", COUNT).values())
    source = "samples" if options.data is None else "photographs"
    measure(Path(options.prior).name, source, prior, images, options.out)
    kept("likelihood", grouped(workers.read_rows(options.out), ABOUT, "image"), ABOUT, "image")
    write(options.docs.parent, parts())


if __name__ == "__main__":
    main()
