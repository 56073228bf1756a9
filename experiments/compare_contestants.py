"""The methods that `compare.py` compares: what each does with a budget of network evaluations, and the number it is tuned by.

A derivative through the network is counted as an evaluation more: on two cores it costs as much. Each method has one number
that matters most and four values of it, so that none is tuned with more than another.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jaxrestore as jr
from jaxrestore.diffusion.schedule import grid_times
from jaxrestore.methods import blind_settings
from jaxrestore.methods.settings import tried_of

TOLD = ("noise", "box", "reduction", "known blur", "jpeg")
LINEAR = ("noise", "box", "reduction", "known blur")
WHOLE = ("noise", "jpeg", "blur", "motion")  # all of the picture is there: what needs no operator can be asked


class Contestant(NamedTuple):
    """A method, and its settings from a prior, a kind of problem, a budget and a value of its number."""

    build: Callable[..., jr.Method]  # of a prior, an operator where it is told, and keywords
    settings: Callable[[jr.Prior, str, int, float], Any]  # None where the budget doesn't suffice
    number: str
    values: tuple[float, ...]
    problems: tuple[str, ...]
    ours: bool = False  # one of the papers that this library is of, or its own
    derivative: bool = False  # an evaluation is followed by a derivative


def searching(name: str) -> Callable[[jr.Prior, str, int, float], Any]:
    """The prior's tuned settings with as many iterations as the budget allows: of fewer steps where it is small."""

    def settings(prior: jr.Prior, kind: str, budget: int, rate: float) -> Any:
        tuned = jr.settings_for(name, kind, prior)
        length = len(prior.schedule)
        own = len(grid_times(length, tuned.skip, tuned.grid))
        spent = budget // 2 if tuned.gradient == "full" else budget
        steps = min(own, 3 if spent < 50 else 5 if spent < 200 else own)
        shared = replace(tuned, skip=length // steps, noise_lr=rate, restarts=1, decay="cosine")
        iterations = max(1, spent // len(grid_times(length, shared.skip, shared.grid)))
        every = tuned.operator_every and max(1, round(tuned.operator_every * iterations / tuned.iterations))
        return replace(shared, iterations=iterations, operator_every=every)

    return settings


def walking(
    build: Callable[..., jr.Method],
    name: str,
    problems: tuple[str, ...],
    derivative: bool = False,
    ours: bool = False,
    **changes: Any,
) -> Contestant:
    """One that walks down as many steps as the budget pays for, and the number that its settings say is to be tried."""
    ((number, values),) = tried_of(type(jr.published(name))).items()

    def settings(prior: jr.Prior, kind: str, budget: int, value: float) -> Any:
        one = replace(jr.published(name, kind), **{**changes, number: value})
        steps = budget // ((1 + derivative) * one.evaluations_a_step)
        return replace(one, steps=min(steps, len(prior.schedule))) if steps > 1 else None

    return Contestant(build, settings, number, values, problems, ours, derivative)


def rounds(prior: jr.Prior, _: str, budget: int, p: float) -> Any:
    """The variant that serves the prior: the calibrated one's cost is that of its statistics, None where it is more."""
    settings = blind_settings(prior)
    if isinstance(settings, jr.LiteralSettings):
        each = (2 + settings.refinements) * len(settings.noise_to_signal)
        return replace(settings, p=p, steps=budget // each) if budget >= each else None
    statistics = prior.statistics
    assert statistics is not None
    return settings if budget >= statistics.steps * (2 + statistics.refinements) * len(statistics.depths) else None


def untold(prior: jr.Prior, operator: Any, *, settings: Any, sigma_y: Any) -> Any:
    return jr.invert2restore(prior, settings=settings)


def cleaning(prior: jr.Prior, operator: Any, *, settings: Any, sigma_y: Any) -> Any:
    return jr.dreamclean(prior, settings=settings)


RATES, BLIND = (0.05, 0.1, 0.2, 0.4), ("blur", "motion")
SEARCHED = (*TOLD, *BLIND)
CONTESTANTS = {
    "BIRD": Contestant(jr.bird, searching("bird"), "noise_lr", RATES, SEARCHED, ours=True),
    "SHRED": Contestant(jr.shred, searching("shred"), "noise_lr", RATES, SEARCHED, ours=True),
    "Invert2Restore": Contestant(
        jr.invert2restore, searching("invert2restore"), "noise_lr", RATES, SEARCHED, ours=True
    ),
    "DMPlug": Contestant(jr.shred, searching("dmplug"), "noise_lr", (0.01, 0.03, 0.1, 0.3), SEARCHED),
    "Invert2Restore, told nothing": Contestant(untold, rounds, "p", (0.5,), WHOLE, ours=True),
    "DreamClean": walking(cleaning, "dreamclean", WHOLE, gamma=0.1),
    "DPS": walking(jr.dps, "dps", TOLD, derivative=True),
    "PiGDM": walking(jr.pigdm, "pigdm", LINEAR, derivative=True),
    "DDNM+": walking(jr.ddnm, "ddnm", LINEAR),
    "DDRM": walking(jr.ddrm, "ddrm", ("noise", "box", "reduction")),
    "DiffPIR": walking(jr.diffpir, "diffpir", LINEAR),
    "DAPS": walking(jr.daps, "daps", TOLD),
    "PnP-Flow": walking(jr.pnp_flow, "pnp-flow", TOLD, draws=1),
    "FlowDPS": walking(jr.flowdps, "flowdps", TOLD),
    "Blind DiffPIR": walking(jr.blind_diffpir, "blind-diffpir", BLIND, ours=True),
    "Blind DiffPIR, one walk": walking(jr.blind_diffpir, "blind-diffpir", BLIND, ours=True, walks=1),
    "Fast EM": walking(jr.fast_em, "fast-em", BLIND, derivative=True),
    "BlindDPS": walking(jr.blind_dps, "blind-dps", BLIND, derivative=True),
    "GDP": walking(jr.gdp, "gdp", BLIND),
    "RePaint": walking(jr.repaint, "repaint", ("box",), jump=2),
}


def cost(contestant: Contestant, method: jr.Method) -> int:
    """Network evaluations of an image, derivatives counted as one more each."""
    evaluations = method.evaluations
    if evaluations is None:
        raise ValueError(f"{type(method).__name__} doesn't say what an iteration costs.")
    return method.iterations * method.restarts * evaluations * (1 + contestant.derivative)
