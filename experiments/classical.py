"""Classical references of every task: what a prior of photographs has to beat. Each is told what a restoration is told, and
has one or two numbers, which `tuned` finds on photographs that appear in no table.

Where the kernel is unknown a Gaussian stands in its place: the same for all photographs, its width one of those numbers; or
for each photograph the one that makes it likeliest. A third is told the width of the true kernel, which nobody knows: it is
no reference, and stands beside them as what better knowledge of the width would be worth.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import classical_filters as filters
import jax
import jax.numpy as jnp
import numpy as np
from flowers import SIZE, Problem, known_pixels, shown
from gaussian_width import gaussian, likeliest_width, true_width
from total_variation import smoothest

from jaxrestore.metrics.noise_level import estimate_sigma_y
from jaxrestore.operators import Blur, Compose, Grayscale, VaryingBlur, kernels_of, proximal

Values = dict[str, float]
Restored = Callable[[Problem, Values], Any]  # an image ``[h, w, 3]`` in [-1, 1]
Kernel = Callable[[Problem, Values], np.ndarray]
FACTORS = {"balance": 2.0, "weight": 2.0, "deviation": 1.5, "factor": 1.2, "width": 1.2, "falloff": 1.15}  # of a step
QUANTISED = 2 / 255 / 12**0.5  # the deviation of what storing in 8 bits takes away


@dataclass(frozen=True)
class Reference:
    """A classical method, and the numbers from which the search for better ones begins."""

    label: str
    restore: Restored
    start: Values = field(default_factory=dict)
    told: str = ""  # what it knows beyond a restoration


def references(task: str, noise: str) -> list[Reference]:
    """Those of a task, with noise of that name."""
    noisy = noise != "none"
    flat = Reference("TV", lambda p, v: total_variation(p, p.truth, v["weight"]), _start("weight", noisy))
    seen, enlarged = Reference("grey", lambda p, v: shown(p)), Reference("bicubic", lambda p, v: shown(p))
    if task == "denoise":
        smooth = Reference("TV", lambda p, v: total_variation(p, p.truth, v["factor"] * level(p)), {"factor": 1.2})
        return [_denoised("BM3D", lambda p: p.y), smooth]
    if task in ("inpaint", "compressed-sensing"):
        smooth, both = (
            Reference("biharmonic", lambda p, v: filled(p)),
            lambda p, v: filters.bm3d_denoised(filled(p), v["deviation"]),
        )
        return [smooth, *[Reference("biharmonic, BM3D", both, _start("deviation", noisy))] * noisy, flat]
    if task == "tomography":
        projected = Reference("filtered back projection", lambda p, v: shown(p))
        return [
            projected,
            Reference("ridge", lambda p, v: ridge(p, v["weight"]), {"weight": 16.0 if noisy else 0.125}),
            flat,
        ]
    if task == "colorize":
        return [seen, *[_denoised("grey, BM3D", shown)] * noisy]
    if task == "super-resolution":
        return [enlarged, *[_denoised("bicubic, BM3D", shown)] * noisy, flat]
    if task in ("blind-super-resolution", "old-photo"):
        one = _tv_deblurred(", one Gaussian", _of_width, noisy, {"width": 1.0})
        return [enlarged, *[_denoised("bicubic, BM3D", shown)] * noisy, one]
    if task in ("deblur", "motion-deblur"):
        return [deblurred("", _known, noisy) for deblurred in (_wiener_deblurred, _tv_deblurred, _bm3d_deblurred)]
    if not task.endswith("deblur"):
        return [Reference("as measured", lambda p, v: shown(p))]
    one, likeliest = (", one Gaussian", _of_width, noisy, {"width": 1.2}), (", likeliest Gaussian", _likeliest, noisy)
    told = (", told the width", _of_true_width, noisy, {}, "the kernel's width")
    return [
        *(deblurred(*one) for deblurred in (_wiener_deblurred, _tv_deblurred, _bm3d_deblurred)),
        *(deblurred(*likeliest, {"falloff": 2.4}) for deblurred in (_wiener_deblurred, _tv_deblurred)),
        *(deblurred(*told) for deblurred in (_wiener_deblurred, _tv_deblurred)),
    ]


def tuned(reference: Reference, score: Callable[[Values], float]) -> tuple[Values, list[tuple[Values, float]]]:
    """The numbers of the best score, and all that were tried: from the start on steps up and down, one number after the
    other, then half steps, until none is better; so the best lies at no edge."""
    tried: dict[tuple[float, ...], float] = {}

    def values(place: tuple[float, ...]) -> Values:
        steps = zip(reference.start.items(), place, strict=True)
        return {name: float(f"{first * FACTORS[name] ** count:.4g}") for (name, first), count in steps}

    def at(place: tuple[float, ...]) -> float:
        if place not in tried:
            tried[place] = score(values(place))
        return tried[place]

    best: tuple[float, ...] = (0.0,) * len(reference.start)
    at(best)
    for size in (1.0, 0.5):
        moving = True
        while moving:
            moving = False
            for number in range(len(best)):
                for step in (size, -size):
                    while at(place := (*best[:number], best[number] + step, *best[number + 1 :])) > at(best):
                        best, moving = place, True
    return values(best), [(values(place), value) for place, value in tried.items()]


def level(problem: Problem) -> float:
    """The deviation of the noise in a picture, from the picture alone; in units of [-1, 1]."""
    return max(float(estimate_sigma_y(problem.y)), QUANTISED)


def filled(problem: Problem) -> np.ndarray:
    """Missing pixels filled smoothly."""
    return filters.biharmonic(np.asarray(problem.y), known_pixels(problem.truth, problem.size))


def ridge(problem: Problem, weight: float) -> Any:
    """The image nearest to middle grey, by conjugate gradients."""
    return jax.jit(proximal)(problem.truth, jnp.zeros((SIZE, SIZE, 3)), problem.y, weight)


def total_variation(problem: Problem, operator: Any, weight: float) -> np.ndarray:
    """By `smoothest`; of a grey measurement the grey image."""
    grey = problem.y.shape[-1] == 1
    if grey:
        parts = tuple(part for part in getattr(operator, "parts", ()) if not isinstance(part, Grayscale))
        operator = Compose(parts)
    image = np.asarray(smoothest(operator, problem.y, weight, (SIZE, SIZE, problem.y.shape[-1])))
    return np.repeat(image, 3, axis=-1) if grey else image


def blurred_by(operator: Any, kernel: np.ndarray) -> Any:
    """The operator with this kernel in the place of its own."""
    if isinstance(operator, Blur | VaryingBlur):
        return Blur(kernel)
    return (
        Compose(tuple(blurred_by(part, kernel) for part in operator.parts)) if hasattr(operator, "parts") else operator
    )


def _denoised(label: str, before: Callable[[Problem], Any]) -> Reference:
    return Reference(label, lambda p, v: filters.bm3d_denoised(before(p), v["factor"] * level(p)), {"factor": 1.0})


def _wiener_deblurred(words: str, kernel: Kernel, noisy: bool, also: Values | None = None, told: str = "") -> Reference:
    def restore(p: Problem, v: Values) -> np.ndarray:
        return filters.wiener(np.asarray(p.y), kernel(p, v), v["balance"])

    return Reference(f"Wiener{words}", restore, _start("balance", noisy) | (also or {}), told)


def _tv_deblurred(words: str, kernel: Kernel, noisy: bool, also: Values | None = None, told: str = "") -> Reference:
    def restore(p: Problem, v: Values) -> np.ndarray:
        return total_variation(p, blurred_by(p.truth, kernel(p, v)), v["weight"])

    return Reference(f"TV{words}", restore, _start("weight", noisy) | (also or {}), told)


def _bm3d_deblurred(words: str, kernel: Kernel, noisy: bool, also: Values | None = None, told: str = "") -> Reference:
    def restore(p: Problem, v: Values) -> np.ndarray:
        return filters.bm3d_deblurred(np.asarray(p.y), kernel(p, v), v["deviation"])

    return Reference(f"BM3D{words}", restore, _start("deviation", noisy) | (also or {}), told)


def _start(name: str, noisy: bool) -> Values:
    return {name: {"balance": (0.003, 0.1), "weight": (3e-4, 0.03), "deviation": (0.005, 0.1)}[name][noisy]}


def _known(problem: Problem, values: Values) -> np.ndarray:
    return np.asarray(kernels_of(problem.truth)[0])


def _of_width(problem: Problem, values: Values) -> np.ndarray:
    return gaussian(values["width"])


def _likeliest(problem: Problem, values: Values) -> np.ndarray:
    return gaussian(likeliest_width(np.asarray(problem.y), level(problem), values["falloff"]))


def _of_true_width(problem: Problem, values: Values) -> np.ndarray:
    return gaussian(true_width(problem.truth))
