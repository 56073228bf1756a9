"""The settings that `faces.py tune` compares, and a name of each that a table can show."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jaxrestore as jr
from jaxrestore.diffusion.schedule import grid_times

LENGTH, BUDGET = 300, 300  # times of the prior's schedule; evaluations, which are two and a half minutes on two cores

# An unknown kernel: Gauss-Newton steps once an image has formed, damped as for five numbers.
BLIND: dict[str, Any] = {"kernel": "gaussian", "operator_every": 5, "operator_from": 0.3, "damping": 1e-5}
GRIDS = {"leading": "", "trailing": " from T", "linspace": " from T to 0"}
GRADIENTS = {"frozen_v": "", "frozen": "noise constant", "full": "full gradient"}


def walk(steps: int, rate: float, restarts: int = 1, times: float = 1, **changes: Any) -> jr.Settings:
    """So many steps an iteration, a rate that falls to zero, and the iterations that `times` the budget allows."""
    settings = jr.Settings(
        noise_lr=rate,
        iterations=round(times * BUDGET / (steps * restarts)),
        skip=LENGTH // steps,
        gradient="frozen_v",
        decay="cosine",
        restarts=restarts,
        combine="mean",
    )
    return replace(settings, **changes)


def joint(settings: jr.Settings, **changes: Any) -> jr.JointSettings:
    return jr.JointSettings(**{**vars(settings), **changes})


def described(settings: Any) -> str:
    """What tells one from another."""
    steps = len(grid_times(LENGTH, settings.skip, settings.grid))
    parts = [f"{settings.iterations} iterations of {steps} steps{GRIDS[settings.grid]}, rate {settings.noise_lr:g}"]
    parts += [GRADIENTS[settings.gradient]] + ["unclipped"] * (not settings.clip)
    parts += [f"{settings.restarts} restarts"] * (settings.restarts > 1) + ["H = identity"] * settings.identity
    parts += ["stopped by the noise level"] * bool(settings.stop)
    if settings.kernel == "gaussian" and settings.operator_from != BLIND["operator_from"]:
        parts += [f"damping {settings.damping:g}, late"]
    if isinstance(settings, jr.JointSettings):
        parts += [] if settings.density is None else [f"density {settings.density:g}"]
        parts += [f"spheres every {settings.rectify_every}"] * bool(settings.rectify_every)
    return ", ".join(part for part in parts if part)


def candidates(method: str, kind: str) -> dict[str, Any]:
    """Settings of a method for a kind of problem, by name."""
    families = {"bird": _bird, "shred": _shred, "invert2restore": _invert2restore}
    blind = BLIND if kind == "blind-deblur" else {}
    return {described(settings): settings for settings in families[method](kind, blind)}


def _both(kind: str, blind: dict[str, Any]) -> Iterator[jr.Settings]:
    """Of every method: two rates, two numbers of steps, on two grids; and twice the evaluations."""
    for steps in (5, 10):
        for rate in (0.05, 0.1):
            yield walk(steps, rate, **blind)
            yield walk(steps, rate, grid="linspace", **blind)
    for rate in (0.02, 0.05) if kind in ("inpaint", "super-resolution", "jpeg") else ():
        yield walk(10, rate, times=2, grid="linspace")


def _bird(kind: str, blind: dict[str, Any]) -> Iterator[jr.Settings]:
    yield from _both(kind, blind)
    for steps in (3, 5, 10):
        for rate in (0.03, 0.05, 0.1, 0.2):
            yield walk(steps, rate, **blind)
    for grid, numbers, rates in (("trailing", (5, 10), (0.05, 0.1, 0.2)), ("linspace", (5, 10, 15), (0.02, 0.2))):
        for steps in numbers:
            for rate in rates:
                yield walk(steps, rate, grid=grid, **blind)
    for rate in (0.05, 0.1):
        yield walk(5, rate, clip=False, **blind)
        yield walk(5, rate, gradient="frozen", **blind)
        yield walk(5, rate, restarts=2, **blind)
        yield walk(10, rate, times=4, **blind)
        yield walk(15, rate, grid="linspace", **blind)
        yield walk(10, rate, restarts=2, grid="linspace", **blind)
        yield walk(10, rate, times=2, grid="linspace", **blind)
        yield replace(walk(10, rate, grid="linspace", **blind), gradient="frozen")
    for rate in (0.01, 0.03, 0.1):
        yield replace(walk(5, rate, **blind), gradient="full")
        if not blind and rate > 0.01:
            yield walk(5, rate, gradient="full", grid="linspace")
    for rate in (0.3, 0.4) if kind == "denoise" else ():
        yield walk(10, rate)
    if kind in ("inpaint", "super-resolution", "jpeg"):
        yield walk(10, 0.03, times=2, grid="linspace")
    for rate in (0.02, 0.05, 0.1) if kind == "jpeg" else ():
        for times in (0.5, 1, 2):
            yield walk(10, rate, times=times, identity=True, grid="linspace")
    if blind:
        for rate in (0.1, 0.2):
            yield walk(5, rate, times=2, **blind)
            yield walk(10, rate, times=2, **blind)
            yield walk(5, 2 * rate, **blind)
        yield walk(5, 0.3, **blind)
    yield from _late(blind)


def _late(blind: dict[str, Any]) -> Iterator[jr.Settings]:
    for damping in (1e-4, 1e-3) if blind else ():
        late: dict[str, Any] = {**blind, "damping": damping, "operator_from": 0.5}
        yield walk(10, 0.05, **late)
        for steps in (5, 10):
            yield walk(steps, 0.1, grid="linspace", **late)


def _shred(kind: str, blind: dict[str, Any]) -> Iterator[jr.Settings]:
    yield from (*_both(kind, blind), *_late(blind))
    if kind == "denoise":
        stop = ({"rule": "discrepancy"},)
        for rate in (0.01, 0.02, 0.05):
            yield walk(5, rate, stop=stop)
        for rate in (0.02, 0.05, 0.1):
            yield walk(10, rate, stop=stop)
            yield walk(10, rate, stop=stop, grid="linspace")
    for rate in (0.2, 0.3) if blind else ():
        yield walk(5, rate, **blind)


def _invert2restore(kind: str, blind: dict[str, Any]) -> Iterator[jr.JointSettings]:
    yield from map(joint, (*_both(kind, blind), *_late(blind)))
    coarse, fine, even = walk(5, 0.1, **blind), walk(10, 0.1, **blind), walk(10, 0.1, grid="linspace", **blind)
    for weight in (1e-6, 1e-5, 1e-4, 1e-3):
        yield joint(coarse, density=weight)
    for weight in (1e-7, 1e-6, 1e-5):
        yield joint(even, density=weight)
    yield joint(even, rectify_every=1)
    for settings in (coarse, even, fine, replace(fine, noise_lr=0.2)):
        yield joint(settings, rectify_every=5)
    for rate in (0.02, 0.05) if kind in ("inpaint", "super-resolution", "jpeg") else ():
        yield joint(walk(10, rate, times=2, grid="linspace"), rectify_every=1)
    if kind == "jpeg":
        yield joint(walk(10, 0.05, times=2, grid="linspace", identity=True), rectify_every=1)
    for every in (1, 2, 5) if kind == "denoise" else ():
        for rate in (0.1, 0.2):
            yield joint(walk(5, rate), rectify_every=every)
    for rate in (0.1, 0.2) if blind else ():
        yield joint(walk(5, rate, **blind))
        for weight in (1e-7, 1e-6, 3e-6):
            yield joint(walk(5, rate, **blind), density=weight)
