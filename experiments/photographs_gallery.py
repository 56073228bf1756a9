"""Photographs before and after, by the embedded prior `photos`: what the numbers of `photographs.py` look like.

    python experiments/photographs_gallery.py --folder FOLDER --levin levin09.npz

Ruins the middles of the clean photographs of a folder (Kodak's, or yours) as `photographs.py` does, restores them told as
little as it can be, and writes `report.html` in `--out`, with sliders and seconds, and with `--figure` a picture of one
photograph a problem. A minute or two on two cores for four photographs. A folder that is ruined already needs no experiment:
`jaxrestore restore FOLDER OUT --task TASK`, then `jaxrestore report OUT -o report.html`.
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from photographs import METHODS, PROBLEMS, answered, kernels_of_levin, kind_of, posed, scores
from report import write_rows
from report_page import Compared, write_page

import jaxrestore as jr
from jaxrestore.files.folders import list_images
from jaxrestore.files.images import as_stored, read_image
from jaxrestore.operators import middle

SHOWN = ("noise 25", "blur, noise 1 %", "JPEG 10", "enlarge 2")


def cut(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(middle(jnp.asarray(image), size))


def restored(problem: str, image: np.ndarray, number: int, kernels: list[np.ndarray], prior: jr.Prior) -> Compared:
    """A photograph ruined and restored by the last of the problem's methods, which is told least."""
    one, method = posed(problem, image, number, kernels), METHODS[kind_of(problem)][-1]
    began = time.perf_counter()
    found = np.asarray(answered(method, one, prior, None)[0])
    seconds, size = time.perf_counter() - began, one.clean.shape
    before = one.y if one.y.shape == size else jax.image.resize(one.y, size, "nearest")
    gains = [scores(jax.image.resize(pixels, size, "cubic"), one)["psnr"] for pixels in (one.y, jnp.asarray(found))]
    names = (f"{gains[0]:.1f} dB", f"{method}, {gains[1]:.1f} dB, {seconds:.0f} s with compilation")
    pictures = [np.asarray(as_stored(jnp.clip(pixels, -1, 1))) for pixels in (before, found)]
    return Compared(problem, names, pictures[0], pictures[1], np.asarray(one.clean))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="clean photographs")
    parser.add_argument("--levin", type=Path, help="levin09.npz, for the blurs")
    parser.add_argument("--problem", nargs="+", choices=PROBLEMS, default=SHOWN)
    parser.add_argument("--count", type=int, default=4, help="photographs")
    parser.add_argument("--side", type=int, default=288, help="pixels of the middle that is taken")
    parser.add_argument("--out", type=Path, default=Path("out/photographs_gallery"))
    parser.add_argument("--figure", type=Path, help="a picture to write: of each problem one photograph")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    prior, kernels = jr.load_prior("photos"), kernels_of_levin(options.levin)
    pictures, rows = [], []
    for place, problem in enumerate(options.problem):
        files = list_images(options.folder)[: options.count]
        for number, file in enumerate(files):
            image = read_image(file)
            sides = (min(image.shape[0], options.side), min(image.shape[1], options.side))
            one = restored(problem, cut(image, sides), number, kernels, prior)
            pictures.append(one)
            if number == place % len(files):
                rows.append([one.before, one.after, one.reference])
            print(problem, file.stem, *one.names, flush=True)
    print(write_page(options.out, "Photographs before and after", [], pictures))
    if options.figure is not None:
        height, width = (min(row[0].shape[axis] for row in rows) for axis in (0, 1))
        write_rows(options.figure, [[cut(image, (height, width)) for image in row] for row in rows], 1)


if __name__ == "__main__":
    main()
