"""What ``jaxrestore score`` does: what the metrics say of two images, or of two folders."""

import json
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxrestore import metrics
from jaxrestore.cli.score import Score
from jaxrestore.errors import InputError, InputWarning
from jaxrestore.files.folders import counterpart, list_images
from jaxrestore.files.images import read_image
from jaxrestore.metrics import Lite0, Lpips
from jaxrestore.stopping import sharpness

COLUMNS = ("psnr", "ssim", "gradient_deviation", "sharpness", "features", "lpips")
NOT_MEASURED = "not measured"
Row = dict[str, float | None]  # by column; None: not measured


def score(flags: Score) -> int:
    """Print the scores of the command's images; the exit code."""
    matched = matches(flags.restored, flags.reference, flags.inception is not None or flags.features is not None)
    try:
        distance = None if flags.lpips is None else metrics.load_lpips(flags.backbone, *flags.lpips)
        lite0 = None if flags.features is None else metrics.load_lite0(flags.features)
        network = None if flags.inception is None else metrics.load_inception(flags.inception)
    except ValueError as error:  # of the converter's readers
        raise InputError(str(error)) from error
    images: dict[str, Row] = {}
    for name, (path, other) in matched.pairs.items():
        reference = jnp.asarray(read_image(other))
        images[name] = scores(jnp.asarray(read_image(path, reference)), reference, distance, lite0)
    of_inception = distances(matched, None if network is None else partial(_inception, network))
    of_lite0 = distances(matched, None if lite0 is None else partial(_pooled, lite0))
    found = Scores(images, mean_of([*images.values()]), *of_inception, *of_lite0, matched.missing)
    if flags.format == "json":  # which has no infinity, the PSNR of equal images
        print(json.dumps(found._asdict(), indent=1).replace(": Infinity", ': "infinite"'))
    else:
        print("\n".join(table(found, (len(matched.restored), len(matched.references)))))
    return 0


class Matches(NamedTuple):
    """The images that are compared."""

    pairs: dict[str, tuple[Path, Path]]
    missing: list[str]  # names of restored images without a reference
    restored: list[Path]  # the two sets, whole
    references: list[Path]


class Scores(NamedTuple):
    """What is written: of each image, of their mean, and of the two sets."""

    images: dict[str, Row]
    mean: Row
    fid: float | None
    kid: float | None
    lite0_frechet: float | None
    lite0_kernel: float | None
    missing: list[str]


_inception = jax.jit(metrics.inception_features)
_pooled = jax.jit(lambda network, image: network.pooled(image))
_distance = jax.jit(lambda network, image, reference: network(image, reference))


def scores(image: jax.Array, reference: jax.Array, distance: Lpips | None, lite0: Lite0 | None) -> Row:
    """Of one image."""
    return {
        "psnr": float(metrics.psnr(image, reference)),
        "ssim": float(metrics.ssim(image, reference)),
        "gradient_deviation": float(metrics.gradient_deviation(image, reference)),
        "sharpness": float(sharpness(image) / sharpness(reference)),
        "features": None if lite0 is None else float(_distance(lite0, image, reference)),
        "lpips": None if distance is None else float(_distance(distance, image, reference)),
    }


def mean_of(rows: list[Row]) -> Row:
    """Column by column."""
    columns = {column: [row[column] for row in rows] for column in COLUMNS}
    return {
        column: None if None in values or not rows else float(np.mean([value for value in values if value is not None]))
        for column, values in columns.items()
    }


def distances(matched: Matches, features: Callable[[Array], Array] | None) -> tuple[float | None, float | None]:
    """Frechet's and the kernel distance of two sets in the features of a network; of one image there are none."""
    sets = matched.restored, matched.references
    if features is None or min(map(len, sets)) < 2:
        return None, None
    one, other = (
        np.concatenate([np.asarray(features(jnp.asarray(read_image(path))[None])) for path in paths]) for paths in sets
    )
    frechet = metrics.frechet_distance(metrics.moments(one), metrics.moments(other))
    return frechet, float(metrics.kernel_distance(jnp.asarray(one), jnp.asarray(other)))


def matches(restored: Path, reference: Path, as_sets: bool) -> Matches:
    """The pairs by name, and a warning of what has none; InputError where there is no pair, unless they are compared
    `as_sets`."""
    for path in (restored, reference):
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.")
    if restored.is_dir() != reference.is_dir():
        raise InputError(f"{restored} and {reference} must be two images, or two folders.")
    if restored.is_file():
        return Matches({restored.name: (restored, reference)}, [], [restored], [reference])
    images, others = list_images(restored), list_images(reference)
    found = {path.name: (path, counterpart(path, others)) for path in images}
    pairs = {name: (path, other) for name, (path, other) in found.items() if other is not None}
    missing = [name for name in found if name not in pairs]
    if not pairs and not as_sets:
        raise InputError(
            f"{reference} has no image named as {missing[0]}, or as any other of {restored}: name those that belong together "
            "alike, or compare the folders as sets, with --inception (FID and KID) or --features."
        )
    if missing:
        which = "" if not pairs else f" of {len(missing)} of {len(images)} images ({', '.join(missing)})"
        sentence = f"{reference} has no image of the same name: paired scores{which} are left out."
        warnings.warn(sentence, InputWarning, stacklevel=2)
    return Matches(pairs, missing, images, others)


def table(found: Scores, numbers: tuple[int, int]) -> list[str]:
    """Markdown: a line an image, their mean, and the distances of the sets, of so many images."""
    head = ("image", "PSNR (dB)", "SSIM", "gradient deviation", "sharpness", "features", "LPIPS")

    def cells(row: Row) -> list[str]:
        return [_number(row[column]) for column in COLUMNS]

    rows = [head, ("---",) * len(head), *((name, *cells(row)) for name, row in found.images.items())]
    rows += [("mean", *cells(found.mean))] * (len(found.images) > 1)
    lines = [*(f"| {' | '.join(row)} |" for row in rows), ""] if found.images else []
    sizes = f"{numbers[0]} images against {numbers[1]}"
    measured = "" if found.fid is None else f" (in Inception's features, {sizes})"
    lines.append(f"FID {_number(found.fid)}, KID {_number(found.kid)}{measured}")
    if found.lite0_frechet is not None:
        lines.append(
            f"Frechet distance {_number(found.lite0_frechet)}, kernel distance {_number(found.lite0_kernel)} (in "
            f"EfficientNet-Lite0's features, {sizes}; not to be compared with FID and KID)"
        )
    return lines


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.4f}"
