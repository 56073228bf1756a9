"""What ``jaxrestore score`` does: what the metrics say of two images, or of two folders."""

import json
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import metrics
from jaxrestore.cli.score import Score
from jaxrestore.errors import InputError
from jaxrestore.files.folders import counterpart, list_images
from jaxrestore.files.images import read_image
from jaxrestore.metrics import Lite0, Lpips
from jaxrestore.stopping import sharpness

COLUMNS = ("psnr", "ssim", "gradient_deviation", "sharpness", "features", "lpips")
NOT_MEASURED = "not measured"
Row = dict[str, float | None]  # by column; None: not measured


def score(flags: Score) -> int:
    """Print the scores of the command's images; the exit code."""
    pairs = matched(flags.restored, flags.reference)
    try:
        distance = None if flags.lpips is None else metrics.load_lpips(flags.backbone, *flags.lpips)
        lite0 = None if flags.features is None else metrics.load_lite0(flags.features)
        network = None if flags.inception is None else metrics.load_inception(flags.inception)
    except ValueError as error:  # of the converter's readers
        raise InputError(str(error)) from error
    images, features = {}, Features([], [])
    for name, (path, other) in pairs.items():
        reference = jnp.asarray(read_image(other))
        image = jnp.asarray(read_image(path, reference))
        images[name] = scores(image, reference, distance, lite0)
        if network is not None:
            for rows, one in zip(features, (image, reference), strict=True):
                rows.append(metrics.features_of(partial(metrics.inception_features, network), one[None], 1)[0])
    found = Scores(images, mean_of([*images.values()]), *distances(features))
    if flags.format == "json":  # which has no infinity, the PSNR of equal images
        print(json.dumps(found._asdict(), indent=1).replace(": Infinity", ': "infinite"'))
    else:
        print("\n".join(table(found)))
    return 0


class Features(NamedTuple):
    """Inception's, a row an image."""

    restored: list[np.ndarray]
    reference: list[np.ndarray]


class Scores(NamedTuple):
    """What is written: of each image, of their mean, and of the two sets."""

    images: dict[str, Row]
    mean: Row
    fid: float | None
    kid: float | None


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
        column: None if None in values else float(np.mean([value for value in values if value is not None]))
        for column, values in columns.items()
    }


def distances(features: Features) -> tuple[float | None, float | None]:
    """FID and KID of two sets; of one image there are none."""
    if len(features.restored) < 2:
        return None, None
    one, other = np.stack(features.restored), np.stack(features.reference)
    fid = metrics.frechet_distance(metrics.moments(one), metrics.moments(other))
    return fid, float(metrics.kernel_distance(jnp.asarray(one), jnp.asarray(other)))


def matched(restored: Path, reference: Path) -> dict[str, tuple[Path, Path]]:
    """The pairs by name; InputError for an image without a reference."""
    for path in (restored, reference):
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.")
    if restored.is_dir() != reference.is_dir():
        raise InputError(f"{restored} and {reference} must be two images, or two folders.")
    if restored.is_file():
        return {restored.name: (restored, reference)}
    others = list_images(reference)
    pairs = {path.name: (path, counterpart(path, others)) for path in list_images(restored)}
    missing = [name for name, (_, other) in pairs.items() if other is None]
    if missing:
        raise InputError(f"{reference} has no image named as {missing[0]} ({len(missing)} of {len(pairs)} have none).")
    return {name: (path, other) for name, (path, other) in pairs.items() if other is not None}


def table(found: Scores) -> list[str]:
    """Markdown: a line an image, their mean, and the distances of the sets."""
    head = ("image", "PSNR (dB)", "SSIM", "gradient deviation", "sharpness", "features", "LPIPS")

    def cells(row: Row) -> list[str]:
        return [_number(row[column]) for column in COLUMNS]

    rows = [head, ("---",) * len(head), *((name, *cells(row)) for name, row in found.images.items())]
    rows += [("mean", *cells(found.mean))] * (len(found.images) > 1)
    return [
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"FID {_number(found.fid)}, KID {_number(found.kid)}",
    ]


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.4f}"
