"""The methods that `compare.py` compares: what each does with a budget of network evaluations, and the number it is tuned by.

A derivative through the network is counted as an evaluation more: on two cores it costs as much. Each method has one number
that matters most and four values of it, so that none is tuned with more than another.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jaxrestore as jr
from jaxrestore.diffusion.schedule import grid_times

TOLD = ("noise", "box", "reduction", "known blur", "jpeg")
LINEAR = ("noise", "box", "reduction", "known blur")
WHOLE = ("noise", "jpeg", "blur")  # all of the picture is there: what needs no operator can be asked


class Contestant(NamedTuple):
    """A method, and its settings from a prior, a kind of problem, a budget and a value of its number."""

    build: Callable[..., jr.Method]  # of a prior, an operator where it is told, and keywords
    settings: Callable[[jr.Prior, str, int, float], Any]
    number: str
    values: tuple[float, ...]
    problems: tuple[str, ...]
    ours: bool = False  # a search for the noise, or one that rectifies it
    derivative: bool = False  # an evaluation is followed by a derivative


def searching(name: str) -> Callable[[jr.Prior, str, int, float], Any]:
    """The prior's tuned settings with as many iterations as the budget allows: of fewer steps where it is small."""

    def settings(prior: jr.Prior, kind: str, budget: int, rate: float) -> Any:
        tuned = jr.settings_for(name, kind, prior, "prior")
        length = len(prior.schedule)
        own = len(grid_times(length, tuned.skip, tuned.grid))
        steps = min(own, 3 if budget < 50 else 5 if budget < 200 else own)
        shared = replace(tuned, skip=length // steps, noise_lr=rate, restarts=1, decay="cosine")
        iterations = max(1, budget // len(grid_times(length, shared.skip, shared.grid)))
        every = tuned.operator_every and max(1, round(tuned.operator_every * iterations / tuned.iterations))
        return replace(shared, iterations=iterations, operator_every=every)

    return settings


def walking(kind: type[Any], number: str, each: int = 1, **changes: Any) -> Callable[[jr.Prior, str, int, float], Any]:
    """As many steps down as the budget pays for, at `each` evaluations."""

    def settings(prior: jr.Prior, _: str, budget: int, value: float) -> Any:
        return kind(**{**changes, number: value}, steps=max(2, min(budget // each, len(prior.schedule))))

    return settings


def repainting(prior: jr.Prior, _: str, budget: int, repeats: float) -> jr.RepaintSettings:
    steps = max(4, min(int(budget / repeats), len(prior.schedule)))
    return jr.RepaintSettings(steps=steps, jump=min(10, steps // 2), repeats=int(repeats))


def annealing(prior: jr.Prior, _: str, budget: int, share: float) -> jr.DapsSettings:
    chain = 2 if budget < 50 else 5
    return jr.DapsSettings(steps=max(2, min(budget // chain, len(prior.schedule))), chain=chain, share=share)


def literally(prior: jr.Prior, _: str, budget: int, p: float) -> jr.LiteralSettings:
    settings = jr.LiteralSettings(p=p)
    return replace(settings, steps=max(1, budget // (3 * len(settings.noise_to_signal))))


def untold(prior: jr.Prior, operator: Any, *, settings: Any, sigma_y: Any) -> Any:
    return jr.invert2restore(prior, settings=settings)


def cleaning(prior: jr.Prior, operator: Any, *, settings: Any, sigma_y: Any) -> Any:
    return jr.dreamclean(prior, settings=settings)


RATES, SEARCHED = (0.05, 0.1, 0.2, 0.4), (*TOLD, "blur")
CONTESTANTS = {
    "BIRD": Contestant(jr.bird, searching("bird"), "noise_lr", RATES, SEARCHED, ours=True),
    "SHRED": Contestant(jr.shred, searching("shred"), "noise_lr", RATES, SEARCHED, ours=True),
    "Invert2Restore": Contestant(
        jr.invert2restore, searching("invert2restore"), "noise_lr", RATES, SEARCHED, ours=True
    ),
    "Invert2Restore, told nothing": Contestant(untold, literally, "p", (0.05, 0.2, 0.5, 0.8), WHOLE, ours=True),
    "DreamClean": Contestant(
        cleaning,
        walking(jr.DreamCleanSettings, "noise_to_signal", each=3, gamma=0.1),
        "noise_to_signal",
        (0.3, 0.6, 1.0, 2.0),
        WHOLE,
    ),
    "DPS": Contestant(
        jr.dps, walking(jr.DpsSettings, "scale", each=2), "scale", (0.1, 0.3, 1.0, 3.0), TOLD, derivative=True
    ),
    "PiGDM": Contestant(
        jr.pigdm, walking(jr.PigdmSettings, "spread", each=2), "spread", (0.25, 0.5, 1.0, 2.0), LINEAR, derivative=True
    ),
    "DDNM+": Contestant(jr.ddnm, walking(jr.DdnmSettings, "eta"), "eta", (0.2, 0.5, 0.85, 1.0), LINEAR),
    "DiffPIR": Contestant(
        jr.diffpir, walking(jr.DiffpirSettings, "strength"), "strength", (0.3, 1.0, 3.0, 10.0), LINEAR
    ),
    "DAPS": Contestant(jr.daps, annealing, "share", (0.03, 0.1, 0.3, 0.9), TOLD),
    "RePaint": Contestant(jr.repaint, repainting, "repeats", (1, 2, 4, 8), ("box",)),
}


def cost(contestant: Contestant, method: jr.Method) -> int:
    """Network evaluations of an image, derivatives counted as one more each."""
    evaluations = method.evaluations
    if evaluations is None:
        raise ValueError(f"{type(method).__name__} doesn't say what an iteration costs.")
    return method.iterations * method.restarts * evaluations * (1 + contestant.derivative)
