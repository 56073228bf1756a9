"""The command ``jaxrestore score``: what the metrics say of two images, or of two folders."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro


@dataclasses.dataclass(frozen=True)
class Score:
    """Score a restored image against its reference, or a folder against a folder of references by the same names."""

    restored: Annotated[Path, tyro.conf.Positional]
    """An image, or a folder of them."""
    reference: Annotated[Path, tyro.conf.Positional]
    """The clean image, or a folder."""
    lpips: tuple[Path, Path] | None = None
    """torchvision's file of the backbone and LPIPS's of its channels: their distance is scored, too."""
    backbone: Literal["alex", "vgg"] = "alex"
    """The network of --lpips."""
    inception: Path | None = None
    """The FID weight file (pt_inception-2015-12-05-6726825d.pth): FID and KID of the two folders."""
    format: Literal["table", "json"] = "table"
    """Markdown, or JSON."""

    def __call__(self) -> int:
        result = scored(self)
        if self.format == "json":  # which has no infinity, the PSNR of equal images
            print(json.dumps(result, indent=1).replace(": Infinity", ': "infinite"'))
        else:
            print("\n".join(table(result)))
        return 0


COLUMNS = ("psnr", "ssim", "gradient_deviation", "sharpness", "lpips")
SETS = ("fid", "kid")
NOT_MEASURED = "not measured"


def scored(options: Any) -> dict[str, Any]:
    """``{"images": {name: {score: number}}, "mean": {...}, "fid": ..., "kid": ...}``; None where nothing was measured."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxrestore.errors import InputError
    from jaxrestore.files.images import read_image
    from jaxrestore import metrics
    from jaxrestore.metrics.distributions import features_of, frechet_distance, kernel_distance, moments
    from jaxrestore.metrics.inception import inception_features, load_inception
    from jaxrestore.metrics.perceptual import Lpips, load_lpips
    from jaxrestore.solve import stopping

    lpips = jax.jit(Lpips.__call__)
    pairs = matched(options.restored, options.reference)
    try:
        distance = None if options.lpips is None else load_lpips(options.backbone, *options.lpips)
        inception = None if options.inception is None else load_inception(options.inception)
    except ValueError as error:  # of the converter's readers
        raise InputError(str(error)) from error
    images, features = {}, {"restored": [], "reference": []}
    for name, (path, other) in pairs.items():
        reference = read_image(other)
        image, reference = jnp.asarray(read_image(path, reference.shape[:2])), jnp.asarray(reference)
        row: dict[str, float | None] = {
            score: float(getattr(metrics, score)(image, reference)) for score in COLUMNS[:3]
        }
        row["sharpness"] = float(stopping.sharpness(image) / stopping.sharpness(reference))
        row["lpips"] = None if distance is None else float(lpips(distance, image, reference))
        images[name] = row
        if inception is not None:
            for which, one in (("restored", image), ("reference", reference)):
                features[which].append(features_of(lambda x: inception_features(inception, x), one[None], 1)[0])
    result: dict[str, Any] = {"images": images, "mean": {}, "fid": None, "kid": None}
    for score in COLUMNS:
        values = [row[score] for row in images.values()]
        result["mean"][score] = None if None in values else float(np.mean(values))
    if inception is not None and len(pairs) > 1:
        one, other = (np.stack(features[which]) for which in ("restored", "reference"))
        result["fid"] = frechet_distance(moments(one), moments(other))
        result["kid"] = float(kernel_distance(jnp.asarray(one), jnp.asarray(other)))
    return result


def matched(restored: Path, reference: Path) -> dict[str, tuple[Path, Path]]:
    """The pairs by name; InputError for an image without a reference."""
    from jaxrestore.errors import InputError
    from jaxrestore.files.images import list_images

    for path in (restored, reference):
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.")
    if restored.is_dir() != reference.is_dir():
        raise InputError(f"{restored} and {reference} must be two images, or two folders.")
    if restored.is_file():
        return {restored.name: (restored, reference)}
    others = {path.stem: path for path in list_images(reference)}
    found = {path.name: (path, others.get(path.stem)) for path in list_images(restored)}
    missing = [name for name, (_, other) in found.items() if other is None]
    if missing:
        raise InputError(f"{reference} has no image named as {missing[0]} ({len(missing)} of {len(found)} have none).")
    return {name: (path, other) for name, (path, other) in found.items() if other is not None}


def table(result: dict[str, Any]) -> list[str]:
    """Markdown: a line an image, their mean, and the distances of the sets."""
    head = ("image", "PSNR (dB)", "SSIM", "gradient deviation", "sharpness", "LPIPS")

    def cells(row: dict[str, Any]) -> list[str]:
        return [NOT_MEASURED if row[score] is None else f"{row[score]:.4f}" for score in COLUMNS]

    rows = [head, ("---",) * len(head), *((name, *cells(row)) for name, row in result["images"].items())]
    rows += [("mean", *cells(result["mean"]))] * (len(result["images"]) > 1)
    sets = ", ".join(
        f"{name.upper()} {NOT_MEASURED if result[name] is None else f'{result[name]:.4f}'}" for name in SETS
    )
    return [*(f"| {' | '.join(row)} |" for row in rows), "", sets]
