"""The degraded photographs of `partially_blind.py`, and how far what was found of an operator is from what it was."""

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import flowers
import jax.numpy as jnp
import numpy as np

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.files.images import as_stored, jpeg
from jaxrestore.operators import cut_out, kernels_of, middle
from jaxrestore.operators.chains import parse

TASKS = {
    "motion": "blind-motion-deblur",
    "reduction": "blind-super-resolution",
    "noisy reduction": "blind-super-resolution",
    "jpeg": "jpeg",
    "mixture": "operator",
    "exposure": "exposure",
}
NOISES = {"motion": "bird", "reduction": "none", "noisy reduction": "bird", "exposure": "none"}
SHIFTED = ("motion", "reduction", "noisy reduction", "mixture")  # an unknown kernel's centre is the image's


class Posed(NamedTuple):
    """A degraded photograph: by what, where the search starts, what was measured, and the photograph."""

    truth: Any
    start: Any
    y: Any
    clean: Any


def posed(task: str, name: str, photograph: flowers.Photograph, prior: jr.Prior, folder: Path) -> Posed:
    """As `flowers.problem` degrades it; qualities and the mixture's blur are drawn from the name's hash, too. Blurs are cut
    from the scene."""
    size = (flowers.SIZE, flowers.SIZE)
    if task in NOISES:
        problem = flowers.problem(TASKS[task], NOISES[task], name, photograph, folder)
        settings = jr.settings_for("invert2restore", TASKS[task], prior)
        return Posed(problem.truth, flowers.start(problem, settings), problem.y, jnp.asarray(problem.clean))
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    if task == "jpeg":
        quality = int(draw.integers(5, 26))
        image = photograph.image
        return Posed(jr.Jpeg(quality), jr.Jpeg(30, unknown=True), jnp.asarray(jpeg(image, quality)), jnp.asarray(image))
    sigmas, angle = np.exp(draw.uniform(np.log(0.7), np.log(2.6), 2)).tolist(), float(draw.uniform(0, 180))
    quality = int(draw.integers(10, 41))
    blur = {"operator": "blur", "size": 11, "sigmas": sigmas, "angle": angle}
    truth: Any = parse([blur, {"operator": "jpeg", "quality": quality}], size)
    blur = {"operator": "blur", "size": 11, "kernel": "unknown"}
    start = parse([blur, {"operator": "jpeg", "quality": "unknown"}], size)
    scene = jnp.asarray(photograph.scene)
    blurred = as_stored(np.asarray(cut_out(truth.parts[0], scene, size)))
    return Posed(truth, start, jnp.asarray(jpeg(blurred, quality)), middle(scene, size))


def errors(estimate: Any, truth: Any) -> dict[str, float]:
    """Kernel similarity, the codec's |log step / true step|, the stops that an exposure is off: what there is of them."""
    measured = {}
    for one, other in zip(getattr(estimate, "parts", (estimate,)), getattr(truth, "parts", (truth,)), strict=True):
        if isinstance(one, jr.Blur):
            measured["kernel"] = float(metrics.kernel_similarity(kernels_of(one)[0], kernels_of(other)[0]))
        if isinstance(one, jr.Jpeg):
            measured["quality"] = abs(float(one.log_scale - other.log_scale))
        if isinstance(one, jr.Tone):
            measured["stops"] = abs(float(one.stops - other.stops))
    return measured
