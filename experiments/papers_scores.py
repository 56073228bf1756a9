"""Images of `papers.py` as files, and what is measured of them: ours and those that another program restored."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import workers
from workers import Row

from jaxrestore import metrics
from jaxrestore.cli.scoring import scores
from jaxrestore.errors import InputError
from jaxrestore.files.folders import counterpart, list_images
from jaxrestore.files.images import read_image
from jaxrestore.stopping import sharpness


class Networks(NamedTuple):
    """What measures, where its weights are given."""

    lpips: Any = None
    inception: Any = None


def stored(options: argparse.Namespace, entry: Row) -> Path:
    """Where an image is written."""
    parts = [str(entry[key]).replace("/", "_") for key in ("table", "task", "method", "image")]
    return (options.out / "images").joinpath(*parts).with_suffix(".png")


def scored(image: np.ndarray, clean: np.ndarray | None, blind: bool, networks: Networks) -> Row:
    """Of an image as a file holds it; where a kernel was unknown, after the best shift."""
    if clean is None:
        one = jnp.asarray(image)
        return {"blockiness": float(metrics.blockiness(one)), "sharpness": float(sharpness(one))}
    pair = (jnp.asarray(image), jnp.asarray(clean))
    found = scores(*(metrics.registered(*pair) if blind else pair), networks.lpips, None)
    return {key: found[key] for key in ("psnr", "ssim", "gradient_deviation", "lpips")}


def outsiders(folder: Path, task: str, image: Path, size: tuple[int, int]) -> np.ndarray:
    """An image that another program restored; InputError where there is none of that name."""
    folder = folder / task if (folder / task).is_dir() else folder
    file = counterpart(image, list_images(folder))
    if file is None:
        raise InputError(f"{folder} has no image named as {image.name}.")
    return read_image(file, size)


def distances(plan: list[Row], images: dict[str, np.ndarray], against: str, options: Any, network: Any) -> None:
    """FID of each row's images, where all are there and there are two or more."""
    entries: dict[str, list[Row]] = {}
    for entry in plan:
        entries.setdefault(entry["method"], []).append(entry)
    wanted = [
        {**group[0], "image": "", "images": [entry["image"] for entry in group], "against": against}
        for group in entries.values()
        if len(group) > 1 and all(stored(options, entry).exists() for entry in group)
    ]
    left, other = workers.unmeasured(wanted, options.out), None
    features = partial(metrics.features_of, partial(metrics.inception_features, network))
    for entry in left:
        if other is None:
            folder = options.reference
            files = [] if folder is None else list_images(folder)
            shape = next(iter(images.values())).shape[:2]
            sources = [read_image(file, shape, "crop") for file in files] or list(images.values())
            other = metrics.moments(features(sources, 16))
        made = [read_image(stored(options, {**entry, "image": image})) for image in entry["images"]]
        fid = metrics.frechet_distance(metrics.moments(features(made, 16)), other)
        workers.append(options.out / "results-0.jsonl", {**entry, "fid": float(fid)})
