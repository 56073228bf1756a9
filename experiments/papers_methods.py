"""How a row of a paper's table is run: a method with its published settings, or with those that lie beside the prior."""

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import flowers
import jax
import jax.numpy as jnp
import numpy as np
from latent_cost import compiled, iteration, temporary
from papers_tables import NAMES, NONE, Table, Task

import jaxrestore as jr
from jaxrestore.cli.flags import AlbumFlags, MethodFlags
from jaxrestore.cli.settled import Drawing
from jaxrestore.cli.tasks import TASKS
from jaxrestore.errors import InputError
from jaxrestore.methods.settings import for_schedule, values_of
from jaxrestore.metrics import data_residual
from jaxrestore.solve.constraining import constrain

OURS = ("naive-inversion",)  # of which nothing is published
GEN2RES = {"paper": "equation 6", "published": "published code", "reading": "our reading"}
ALBUMS = {"": "prior as it is", "generative": "album of its own", "personal": "personal album"}


class Way(NamedTuple):
    """A row: its name, the method with all its settings, and for Gen2Res what the prior is constrained to."""

    label: str
    settled: Any
    settings: dict[str, Any]
    album: str = ""


def ways(table: Table, task: Task, prior: jr.Prior, iterations: int | None) -> Iterator[Way]:
    """The rows of a task, published settings before tuned ones; `iterations` in the place of their own, to try it out."""
    for name in table.methods:
        if name == "gen2res":
            yield from _constrained(table, prior, iterations)
            continue
        try:
            choice = TASKS[task.task].choice(name)
        except InputError:  # the paper's table has a dash there, too
            continue
        published = ", our reading" if name in OURS else "" if any(table.sweep) else ", published"
        presets = [("published", published, change) for change in table.sweep]
        if prior.settings.find(choice.settings, task.task) is not None and not any(table.sweep):
            presets.append(("prior", ", tuned", NONE))
        for preset, words, change in presets:
            settled: Any = choice.settle(MethodFlags(preset=preset), AlbumFlags(), prior, task.task)  # type: ignore[arg-type]
            changes = {**change, **({} if iterations is None else _few(settled.settings, iterations))}
            if "skip" in change:
                changes["skip"] = max(1, round(change["skip"] * len(prior.schedule) / 1000))
            settled = replace(settled, settings=replace(settled.settings, **changes))
            swept = "".join(f", {key} {value}" for key, value in change.items())
            yield Way(NAMES[name] + words + swept, settled, values_of(settled.settings))


def _few(settings: Any, iterations: int) -> dict[str, int]:
    return {"iterations" if hasattr(settings, "iterations") else "steps": iterations}


def _constrained(table: Table, prior: jr.Prior, iterations: int | None) -> Iterator[Way]:
    """Gen2Res as each source has it, and as tuned: the prior as it is, and constrained."""
    kinds = {words: for_schedule(jr.published("gen2res", kind), len(prior.schedule)) for kind, words in GEN2RES.items()}
    if prior.settings.find("gen2res", "any") is not None:
        kinds["tuned"] = jr.settings_for("gen2res", "any", prior)
    for words, one in kinds.items():
        if iterations is not None:
            few = replace(one.finetuning, steps=iterations)
            one = replace(one, album=2, finetuning=few, personal_steps=iterations, steps=iterations + 1)
        for album in ("", "personal" if table.personal else "generative"):
            yield Way(f"Gen2Res, {words}, {ALBUMS[album]}", Drawing(one, 1), values_of(one), album)


class Posed(NamedTuple):
    """An image to be restored, as it is shown, and what a restoration knows."""

    y: Any
    shown: np.ndarray
    start: Callable[[Any], Any]  # operator, from the settings of a method
    sigma_y: float
    blind: bool  # a kernel was unknown, so that a shift can't be told
    keep: bool


def posed(table: Table, task: Task, name: str, image: np.ndarray, folder: Any) -> Posed:
    """What a table's task makes of an image; without a task the image as it is, or ruined as the table says."""
    if task.task == "blind":
        ruin = jr.simulate.DEGRADATIONS[table.degradation] if table.degradation else lambda image, seed: image
        y = ruin(image, zlib.crc32(name.encode()))
        return Posed(jnp.asarray(y), y, lambda settings: jr.Identity(), 0.0, False, False)
    size = image.shape[:2]
    problem = flowers.problem(task.task, task.noise, name, image, folder, **scaled(task.given, size))
    told = problem
    if task.assumed:
        told = flowers.problem(task.task, task.noise, name, image, folder, **scaled(task.assumed, size))
    noisy = task.noise != "none" or TASKS[task.task].noise_level > 0
    sigma_y = float(data_residual(problem.truth, jnp.asarray(image), problem.y)) ** 0.5 if noisy else 0.0
    blind = bool(TASKS[task.task].estimated)
    return Posed(problem.y, flowers.shown(problem), lambda s: flowers.start(told, s), sigma_y, blind, not noisy)


def scaled(given: Mapping[str, Any], size: tuple[int, ...]) -> dict[str, Any]:
    """Flags in pixels of 256, for an image of that size."""
    of_256 = min(size) / 256
    return {key: tuple(of_256 * one for one in value) if key == "sigmas" else value for key, value in given.items()}


def prior_for(way: Way, one: Posed, prior: jr.Prior, album: np.ndarray, kept: dict[str, jr.Prior]) -> jr.Prior:
    """The prior of a row: as it is, or constrained, to a subject's album once and to one's own each time."""
    if way.album == "personal":
        if way.label not in kept:
            kept[way.label] = constrain(prior, jax.random.key(1), way.settled.constraint, album=album)[0]
        return kept[way.label]
    if way.album == "generative":
        return constrain(prior, jax.random.key(1), way.settled.constraint, y=one.y)[0]
    return prior


def restored(way: Way, one: Posed, prior: jr.Prior, memory: bool) -> tuple[np.ndarray, dict[str, Any]]:
    """The image, and what it took: seconds, milliseconds an iteration and, where it is asked for, GiB."""
    began = time.perf_counter()
    sigma_y = one.sigma_y if way.settled.noise_aware else 0.0
    method = way.settled.method(prior, one.start(way.settled.operator_settings), sigma_y)
    result = jr.restore(method, one.y, jax.random.key(0), keep_known=one.keep, devices="all")
    image = np.asarray(jax.block_until_ready(result.image))
    seconds = time.perf_counter() - began
    row: dict[str, Any] = {
        "seconds": seconds,
        "milliseconds": 1000 * seconds / method.iterations,
        "said": result.message,
    }
    if memory:
        state = method.init(one.y, jax.random.key(0))
        held = sum(leaf.nbytes for leaf in jax.tree.leaves((method, state)))
        row["memory"] = (temporary(compiled(iteration, method, state, one.y)) + held) / 2**30
    return image, row
