"""Operators as JSON: a chain of steps with known and unknown parameters, for ``--operator FILE``, and what was found.

    [{"operator": "blur", "kernel": "gaussian", "sigmas": {"unknown": [2, 1]}, "angle": {"unknown": 30}},
     {"operator": "reduce", "factor": 4},
     {"operator": "jpeg", "quality": "unknown"}]

A parameter is a value, ``{"unknown": start}``, or "unknown" for the usual start. `described` writes the same form, with
values in the place of the unknowns: a found operator can be read again (the streaks of rain are not in it).
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import numpy as np

from jaxrestore.errors import InputError
from jaxrestore.operators.basic import Grayscale
from jaxrestore.operators.blur import Blur, Boundary
from jaxrestore.operators.compose import Compose
from jaxrestore.operators.contract import Operator, measure_shape
from jaxrestore.operators.jpeg import Jpeg
from jaxrestore.operators.kernels import DiscKernel, GaussianKernel, SoftmaxKernel, default_kernel_size
from jaxrestore.operators.rain import RainLayer
from jaxrestore.operators.reduce import REDUCTIONS, ReductionName
from jaxrestore.operators.tone import Tone

Size = tuple[int, int]
MAX_STEPS = 32  # each is part of the program: hundreds compile for minutes, and no photograph has gone through as many


class Parameter(NamedTuple):
    value: Any
    known: bool


Given = dict[str, Parameter]


def read_operator(path: str | Path, size: Size) -> Operator:
    """The operator of a JSON file for images of `size` (height, width); InputError names the file, the step and the fault.

    >>> read_operator("nowhere.json", (64, 64))
    Traceback (most recent call last):
    jaxrestore.errors.InputError: nowhere.json can't be read as JSON: [Errno 2] No such file or directory: 'nowhere.json'.
    """
    path = Path(path)
    try:
        steps = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} can't be read as JSON: {error}.") from error
    try:
        return parse(steps, size)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def parse(steps: Any, size: Size) -> Operator:
    """The operator of a list of steps, or of one, for images of `size` (height, width), as JSON has them.

    InputError says which step is at fault, and why. `described` is the way back.

    >>> parse({"operator": "reduce", "factor": 2}, (64, 64))
    AveragePool(scale=2)
    >>> parse([{"operator": "grey"}, {"operator": "reduce", "factor": 7}], (64, 64))
    Traceback (most recent call last):
    jaxrestore.errors.InputError: Step 2: An image of 64 x 64 can't be reduced by 7: its sides must be multiples of it.
    """
    listed = steps if isinstance(steps, list) else [steps]
    if not listed:
        raise InputError("An operator needs at least one step.")
    if len(listed) > MAX_STEPS:
        raise InputError(f"A chain of {len(listed)} operators is more than can be compiled: give at most {MAX_STEPS}.")
    parts = []
    for number, step in enumerate(listed, 1):
        try:
            parts.append(_step(step, size))
            height, width, *_ = measure_shape(parts[-1], (*size, 3))
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(f"Step {number}: {error}") from error
        size = (height, width)
    return parts[0] if len(parts) == 1 else Compose(tuple(parts))


def _step(step: Any, size: Size) -> Any:
    name = step.get("operator") if isinstance(step, dict) else None
    if not isinstance(name, str) or name not in STEPS:
        raise InputError(f'it must be an object with an "operator" of {", ".join(STEPS)}, not {str(step)[:80]}.')
    make, defaults = STEPS[name]
    defaults = defaults(size)
    foreign = step.keys() - {"operator", *defaults}
    if foreign:
        raise InputError(f"{name} has no {', '.join(sorted(foreign))}; it has: {', '.join(defaults) or 'nothing'}.")
    return make({key: _parameter(step.get(key, usual), usual) for key, usual in defaults.items()}, size)


def _parameter(given: Any, usual: Any) -> Parameter:
    if given == "unknown":
        return Parameter(usual, False)
    if isinstance(given, dict):
        if given.keys() != {"unknown"}:
            raise InputError(f'a parameter is a value, "unknown" or {{"unknown": start}}, not {str(given)[:80]}.')
        return Parameter(given["unknown"], False)
    return Parameter(given, True)


def _numbers(
    given: Given, name: str, shape: tuple[int, ...] | None = (), low: float | int = -1e4, high: float | int = 1e4
) -> np.ndarray:
    """The finite numbers of a parameter, of that shape (None: any) and within those bounds; InputError otherwise."""
    value = given[name].value
    try:
        array = np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError):
        array = np.full(shape or (), np.nan)
    wrong = shape is not None and array.shape != shape
    if wrong or not np.all((array >= low) & (array <= high)) or isinstance(value, bool):
        many = "numbers" if shape is None else " x ".join(map(str, shape)) or "one"
        raise InputError(f"{name} must be {many} of {low:g} to {high:g}, not {str(value)[:80]}.")
    return array


def _word(given: Given, name: str, words: tuple[str, ...]) -> str:
    value, known = given[name]
    if not known or value not in words:
        raise InputError(f"{name} must be {' or '.join(words)}, not {str(value)[:80] if known else 'unknown'}.")
    return value


def _whole(given: Given, name: str, low: int, high: int) -> int:
    number = given[name]
    if not number.known or type(number.value) is not int or not low <= number.value <= high:
        raise InputError(f"{name} must be a known whole number from {low} to {high}, not {number.value}.")
    return number.value


def _unknown(given: Given, **fields: str) -> tuple[str, ...]:
    """The fields whose parameters are unknown."""
    return tuple(field for name, field in fields.items() if not given[name].known)


def _blur(given: Given, size: Size) -> Blur:
    kernel, boundary = given["kernel"], cast(Boundary, _word(given, "boundary", get_args(Boundary)))
    if isinstance(kernel.value, list):
        matrix = _numbers(given, "kernel", None)
        return Blur(matrix if kernel.known else SoftmaxKernel.from_weights(matrix), boundary)
    side = _whole(given, "size", 1, 999)
    if kernel.value == "any":
        return Blur(SoftmaxKernel(side, max(0.5, side / 10)), boundary)
    if kernel.value == "disc":
        radius = _numbers(given, "radius", (), 1e-3).item()
        return Blur(DiscKernel(side, radius, not (kernel.known and given["radius"].known)), boundary)
    if kernel.value != "gaussian":
        raise InputError(
            f'kernel must be "gaussian", "disc", "any" (all weights unknown) or a matrix, not {kernel.value}.'
        )
    sigmas, offset = _numbers(given, "sigmas", (2,), 1e-3), _numbers(given, "offset", (2,))
    angle = math.radians(_numbers(given, "angle").item())
    if not kernel.known:  # that it is a Gaussian is known all the same
        given = {name: parameter._replace(known=False) for name, parameter in given.items()}
    unknown = _unknown(given, sigmas="log_sigmas", angle="angle", offset="offset")
    return Blur(GaussianKernel(side, sigmas, angle, offset, unknown), boundary)


def _reduce(given: Given, size: Size) -> Operator:
    reduction = REDUCTIONS[cast(ReductionName, _word(given, "by", tuple(REDUCTIONS)))]
    return reduction(_whole(given, "factor", 2, 64))


def _jpeg(given: Given, size: Size) -> Jpeg:
    return Jpeg(_numbers(given, "quality", (), 1, 99).item(), unknown=not given["quality"].known)


def _tone(given: Given, size: Size) -> Tone:
    stops, gamma = _numbers(given, "stops", (), -20, 20), _numbers(given, "gamma", (), 0.01, 100)
    unknown = _unknown(given, stops="stops", balance="log_balance", gamma="log_gamma")
    return Tone(stops.item(), _numbers(given, "balance", (2,), 0.01, 100), gamma.item(), unknown)


def _rain(given: Given, size: Size) -> RainLayer:
    """Its streaks, their angle and length are unknown, whatever is said of the latter two: that is where they start."""
    angle = math.radians(_numbers(given, "angle", (), -90, 90).item())
    length, sparsity = _numbers(given, "length", (), 0.1, 1e3).item(), _numbers(given, "sparsity", (), 0, 1e3).item()
    return RainLayer(size, length, angle, sparsity)


# name: what makes it, and its parameters with their usual values for images of a size
STEPS: dict[str, tuple[Callable[[Given, Size], Operator], Callable[[Size], dict[str, Any]]]] = {
    "blur": (
        _blur,
        lambda size: {
            "kernel": "gaussian",
            "size": default_kernel_size(size),
            "sigmas": [min(size) / 58, min(size) / 71],  # unlike, so that the angle has a slope
            "angle": 22.5,
            "offset": [0.0, 0.0],
            "radius": min(size) / 32,
            "boundary": "reflect",
        },
    ),
    "reduce": (_reduce, lambda size: {"factor": 4, "by": "average"}),
    "jpeg": (_jpeg, lambda size: {"quality": 30}),
    "tone": (_tone, lambda size: {"stops": 0.0, "balance": [1.0, 1.0], "gamma": 1.0}),
    "rain": (_rain, lambda size: {"angle": 0.0, "length": min(size) / 21, "sparsity": 0.02}),
    "grey": (lambda given, size: Grayscale(), lambda size: {}),
}
