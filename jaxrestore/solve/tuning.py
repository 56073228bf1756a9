"""Finding a prior's settings: candidates of equal cost, what each makes of photographs, and the file that keeps the best.

Cost is counted in network evaluations of a restoration.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore import metrics
from jaxrestore.diffusion.schedule import GridName, grid_times
from jaxrestore.diffusion.tuned import FORMAT, read_stored, write_stored
from jaxrestore.errors import InputError, PriorError
from jaxrestore.files.images import as_stored
from jaxrestore.methods import Method, Settings
from jaxrestore.methods.settings import WalkSettings, tried_of, values_of
from jaxrestore.operators import is_blind, kernels_of
from jaxrestore.solve.driver import restore

Tunable = Settings | WalkSettings
S = TypeVar("S", bound=Tunable)
WALKS = ((10, 1), (5, 1), (5, 2), (3, 2))  # steps of the unroll, restarts
RATES = (1, 4, 16)  # times the start's rate on the noise; larger ones than its own decay to zero
TIE = 0.2  # dB: less is chance on a few photographs


class Example(NamedTuple):
    """A photograph, ruined."""

    clean: Float[np.ndarray, "h w c"]
    y: Array  # what was measured of it
    method: Callable[[Any], Method]  # from settings, for that measurement


class Scored(NamedTuple):
    """What settings made of all examples, in the mean."""

    settings: Tunable
    psnr: float
    gradient_deviation: float


def evaluations(settings: Tunable, length: int) -> int:
    """Network evaluations of a restoration over a schedule of `length` times.

    >>> evaluations(Settings(skip=200, iterations=60, restarts=2), 1000)
    600
    """
    if isinstance(settings, WalkSettings):
        return min(settings.steps, length) * settings.evaluations_a_step
    return _steps(settings.skip, settings.grid, length) * settings.iterations * settings.restarts


def candidates(start: S, length: int, budget: int | None = None) -> list[S]:
    """Settings that cost about `budget` network evaluations, by default as many as `start`, over a schedule of `length`.

    The start itself, with as many iterations as it then has; and each of `WALKS`, fewer steps an iteration and more
    iterations, one search or the mean image of two, with its rate on the noise times each of `RATES`. Of a method that walks
    down a grid of times once: the start with each of the values that its settings declare (`Tried`), and the steps that the
    budget allows. All else stays as it is. InputError for a budget of less than one iteration.

    >>> tried = candidates(Settings(skip=100, iterations=60), 1000)
    >>> len(tried), {evaluations(settings, 1000) for settings in tried}
    (12, {600})
    """
    budget = evaluations(start, length) if budget is None else budget
    return _walks(start, budget) if isinstance(start, WalkSettings) else _searches(start, length, budget)


def _searches(start: Any, length: int, budget: int) -> list[Any]:
    if budget < _steps(start.skip, start.grid, length) * start.restarts:
        raise InputError(f"{budget} network evaluations are less than an iteration of the settings to start from.")
    tried = [_of_cost(start, length, budget)]
    for steps, restarts in WALKS:
        walk = replace(start, skip=max(1, length // steps), restarts=restarts)
        walk = replace(walk, combine="mean") if restarts > 1 else walk
        for rate in RATES:
            decay = start.decay if rate == 1 else "cosine"
            one = _of_cost(replace(walk, noise_lr=rate * start.noise_lr, decay=decay), length, budget)
            tried += [one] * (one not in tried)
    return tried


def _steps(skip: int, grid: GridName, length: int) -> int:
    return len(grid_times(length, skip, grid))


def _walks(start: Any, budget: int) -> list[Any]:
    """The start with each value of its numbers that are tried; steps as the budget allows."""
    values = [(name, value) for name, values in tried_of(type(start)).items() for value in values]
    walks = [start, *(replace(start, **{name: value}) for name, value in values)]
    if budget < 2 * max(one.evaluations_a_step for one in walks):
        raise InputError(f"{budget} network evaluations are less than two steps of some settings to try.")
    walks = [replace(one, steps=budget // one.evaluations_a_step) for one in walks]
    return [one for index, one in enumerate(walks) if one not in walks[:index]]


def _of_cost(settings: Settings, length: int, budget: int) -> Settings:
    """With the iterations that the budget allows."""
    an_iteration = _steps(settings.skip, settings.grid, length) * settings.restarts
    return replace(settings, iterations=max(1, budget // an_iteration))


def compare(tried: Sequence[Tunable], examples: Sequence[Example], key: Array) -> Iterator[Scored]:
    """What each candidate makes of the examples, one after the other. Not for jit: a loop on the host.

    PSNR and the deviation of gradients (GMSD) of the restored image as a file holds it, against the photograph; where a
    kernel was unknown, after the best shift, which nobody can tell.
    """
    for settings in tried:
        scores = np.array([_scores(settings, example, key) for example in examples])
        psnr, deviation = scores.mean(axis=0).tolist()
        yield Scored(settings, psnr, deviation)


def _scores(settings: Tunable, example: Example, key: Array) -> tuple[float, float]:
    method = example.method(settings)
    image = jnp.asarray(as_stored(restore(method, example.y, key).image))
    reference = jnp.asarray(example.clean)
    if is_blind(method.operator) and kernels_of(method.operator):
        image, reference = metrics.registered(image, reference)
    return float(metrics.psnr(image, reference)), float(metrics.gradient_deviation(image, reference))


def chosen(scored: Sequence[Scored]) -> Scored:
    """The one of the best mean PSNR, unless the deviation of gradients contradicts: of those within `TIE` dB of the best, the
    one of the least deviation. PSNR alone would prefer the softer of two images that are as near to the photograph.

    InputError where none restored an image.

    >>> soft, crisp = Scored(Settings(), 27.05, 0.09), Scored(Settings(), 27.0, 0.06)
    >>> chosen([soft, crisp, Scored(Settings(), 26.0, 0.05)]) is crisp
    True
    """
    finite = [one for one in scored if np.isfinite(one.psnr)]
    if not finite:
        raise InputError("None of the settings that were tried restored an image.")
    best = max(one.psnr for one in finite)
    return min((one for one in finite if one.psnr >= best - TIE), key=lambda one: one.gradient_deviation)


def stored_settings(path: Path) -> dict[str, Any]:
    """What a file of settings holds, or an empty one's beginning; InputError for a file of another kind."""
    try:
        return read_stored(path) or {"format": FORMAT, "tuned_on": {}, "methods": {}}
    except PriorError as error:
        raise InputError(f"{error} Nothing is written over it.") from error


def keep_settings(path: Path, method: str, kind: str, settings: Tunable, about: dict[str, Any]) -> None:
    """Write the settings of a method on a kind of problem into a file, beside those that it holds; `about` says on what they
    were tuned, and how the candidates did. InputError for a file that is another's, or can't be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     keep_settings(Path(folder) / "settings.json", "bird", "denoise", Settings(), {"photographs": 4})
    ...     stored_settings(Path(folder) / "settings.json")["tuned_on"]
    {'bird on denoise': {'photographs': 4}}
    """
    stored = stored_settings(path)
    kinds = {**stored["methods"].get(method, {}), kind: values_of(settings)}
    tuned_on = {**stored.get("tuned_on", {}), f"{method} on {kind}": about}
    write_stored(path, {**stored, "tuned_on": tuned_on, "methods": {**stored["methods"], method: kinds}})
