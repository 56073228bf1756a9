"""The figures of Invert2Restore's paper, of any prior: what it shows of itself, as far as that is known to us.

    python experiments/invert2restore_figures.py --prior faces64 --figure 1 3 4 5

`--prior` is a prior's name or folder, of any size; `--images` a folder of clean images of its kind (cut to their middle
square and reduced), in the place of the prior's own samples. Degradations are those of `jaxrestore degrade`, in proportion to
the size. Writes `figure_N_PRIOR.png` into `--docs`; minutes with a prior of 64 x 64.

1: both settings at a glance. 3: G of a noise and of scaled ones, with each one's norm and log density under it. 4: fully
blind (codec, rain, raindrops) beside DreamClean. 5: partially blind (motion blur, 4x reduction) beside BIRD.
"""

import argparse
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from report import write_rows

import jaxrestore as jr
from jaxrestore.cli.flags import DegradationFlags, OperatorFlags
from jaxrestore.cli.tasks import TASKS
from jaxrestore.files.folders import list_images
from jaxrestore.files.images import as_stored, read_image
from jaxrestore.operators import shown
from jaxrestore.simulate import DEGRADATIONS

SCALES = (0.9, 0.96, 1.0, 1.04, 1.1)
STEPS = 25  # of a sample
BLIND = ("jpeg", "rain", "raindrop")
PARTIALLY = {"blind-motion-deblur": "motion blur", "blind-super-resolution": "4x reduction"}
RUIN, START = 1_000_000, 2_000_000  # seeds of degradations and searches: none is a sample's
DEEPEST = 400  # log densities below this are of no interest


def clean_images(prior: jr.Prior, folder: Path | None, count: int) -> np.ndarray:
    """Images ``[count, h, w, 3]`` in [-1, 1], as 8-bit files hold them: of the folder, or samples of seeds 0, 1, ..."""
    if not count:
        return np.zeros((0, *prior.shape), np.float32)
    if folder is None:
        noise = jnp.stack([jax.random.normal(jax.random.key(seed), prior.noise_shape) for seed in range(count)])
        return as_stored(jr.unroll(prior, noise, skip=max(1, len(prior.schedule) // STEPS), grid="linspace"))
    blank = jnp.zeros(prior.shape)
    return np.stack([np.asarray(read_image(path, blank)) for path in list_images(folder)[:count]])


def fully(prior: jr.Prior, clean: np.ndarray) -> list[list[list[np.ndarray]]]:
    """Of each degradation and image: degraded, DreamClean's, Invert2Restore's, clean."""
    blocks = []
    for kind in BLIND:
        y = np.stack([DEGRADATIONS[kind](image, RUIN + seed) for seed, image in enumerate(clean)])
        made = [restored(method, y) for method in (jr.dreamclean(prior), jr.invert2restore(prior))]
        blocks.append([list(images) for images in zip(y, *made, clean, strict=True)])
    return blocks


def partially(prior: jr.Prior, clean: np.ndarray) -> list[list[list[np.ndarray]]]:
    """Of each operator and image: degraded, BIRD's, Invert2Restore's, clean."""
    blocks, size = [], prior.shape[:2]
    for task in PARTIALLY:
        block = []
        for seed, image in enumerate(clean):
            truth = TASKS[task].degrade(DegradationFlags(seed=RUIN + seed, scale=4), size)
            y = jnp.asarray(as_stored(np.asarray(truth(jnp.asarray(image)))))
            seen = np.asarray(jax.image.resize(shown(truth, y), image.shape, "cubic")).clip(-1, 1)
            block.append([seen, *(searched(name, prior, task, y) for name in ("bird", "invert2restore")), image])
        blocks.append(block)
    return blocks


def searched(name: str, prior: jr.Prior, task: str, y: Any) -> np.ndarray:
    """What a search makes of a measurement of which the kind of operator is known."""
    settings = jr.settings_for(name, task, prior)
    start = TASKS[task].start(OperatorFlags(scale=4), prior.shape[:2], settings)
    constructor = jr.bird if name == "bird" else jr.invert2restore
    return restored(constructor(prior, start, settings=settings), y)


def restored(method: Any, y: Any) -> np.ndarray:
    return np.asarray(jr.restore(method, jnp.asarray(y), jax.random.key(START)).image)


def glance(prior: jr.Prior, clean: np.ndarray) -> list[list[np.ndarray]]:
    """Degraded above restored, a degradation each."""
    one = clean[:1]
    columns = [block[0] for block in (*fully(prior, one), *partially(prior, one))]
    return [[column[row] for column in columns] for row in (0, 2)]


def write_scaled(prior: jr.Prior, path: Path) -> None:
    """Three noises and scaled ones; under each scale the norm over sqrt(d), and log densities against the noise itself: of
    N(0, I), which is higher for a smaller noise, and of the norm, which isn't."""
    from matplotlib.figure import Figure

    noise = jax.random.normal(jax.random.key(3), (3, *prior.noise_shape))
    skip = max(1, len(prior.schedule) // 50)
    images = np.stack([np.asarray(jr.unroll(prior, scale * noise, skip=skip, grid="linspace")) for scale in SCALES])
    norms = np.sqrt(np.mean(np.asarray(noise[0]) ** 2)) * np.array(SCALES)
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
    side, d = prior.shape[1], noise[0].size
    left.imshow((images.transpose(1, 2, 0, 3, 4).reshape(-1, side * len(SCALES), 3) + 1) / 2)
    labels = [
        f"{scale:g} z\nnorm {norm:.3f}\nN(0, I) {d * (norms[2] ** 2 - norm**2) / 2:+.0f}\n"
        f"norm {radial(norm, d) - radial(norms[2], d):+.0f}"
        for scale, norm in zip(SCALES, norms, strict=True)
    ]
    left.set_xticks([side * (index + 0.5) for index in range(len(SCALES))], labels, fontsize=8)
    left.set_yticks([])
    radius = np.linspace(0.85, 1.15, 2001)
    for size in dict.fromkeys((d, 3 * 256**2)):
        words = f"{round((size / 3) ** 0.5)} x {round((size / 3) ** 0.5)}"
        right.plot(radius, radial(radius, size) - radial(radius, size).max(), label=f"norm, {words}")
        right.plot(radius, -size * (radius**2 - 1) / 2, "--", label=f"N(0, I) itself, {words}")
    right.set(ylim=(-DEEPEST, DEEPEST), xlabel="norm / sqrt(d)", ylabel="log density against z")
    right.legend(fontsize=7)
    figure.savefig(path, dpi=100)


def radial(radius: Any, d: int) -> Any:
    """log of the density of the norm of N(0, I) over sqrt(d), up to a constant."""
    return (d - 1) * np.log(radius) - d * radius**2 / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prior", required=True, help="a name or a folder")
    parser.add_argument("--images", type=Path, help="clean images of its kind; without: the prior's samples")
    parser.add_argument("--figure", nargs="+", choices=("1", "3", "4", "5"), default=["1", "3", "4", "5"])
    parser.add_argument("--count", type=int, default=3, help="images of figures 4 and 5")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    prior = jr.load_prior(options.prior)
    clean = clean_images(prior, options.images, 0 if options.figure == ["3"] else options.count)
    for figure in options.figure:
        path = options.docs / f"figure_{figure}_{Path(options.prior).name}.png"
        if figure == "3":
            write_scaled(prior, path)
        elif figure == "1":
            write_rows(path, glance(prior, clean))
        else:
            blocks = (fully if figure == "4" else partially)(prior, clean)
            rows = [line for block in blocks for line in block]
            write_rows(path, [list(row) for row in zip(*rows, strict=True)])
        print(path)


if __name__ == "__main__":
    main()
