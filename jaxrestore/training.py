"""The training loop: photographs in, a prior out; on all devices, with checkpoints that a killed run goes on from."""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array

from jaxrestore import train as single
from jaxrestore.checkpoint import Checkpoints, fingerprint
from jaxrestore.errors import InputError, memory_advice
from jaxrestore.prior import Prior
from jaxrestore.profiling import flops, peak_flops
from jaxrestore.train import State, Training
from jaxrestore.training_data import Photographs, Source, View, batches, photographs


class Trained(NamedTuple):
    """A prior, and how it came about."""

    prior: Prior
    losses: np.ndarray  # [steps done]
    step: int  # steps done, of `Training.steps`
    speed: dict[str, float]  # images_per_second, and utilisation: the share of the devices' peak, since the last report


def train(
    prior: Prior,
    source: Source | Photographs,
    key: Array,
    settings: Training | None = None,
    *,
    checkpoint: str | Path | None = None,
    report_every: int = 100,
    minutes: float = math.inf,
    progress: bool = False,
    watch: Callable[[Trained], None] | None = None,
) -> Trained:
    """Train a prior on photographs (`training_data.photographs`), from its own weights, which may be fresh ones.

    - `settings`: see `Training`. The learning rate follows its number of steps, whether they are run at once or in pieces.
    - `checkpoint`: a folder. Saved every `report_every` steps; the same call after a kill goes on from the last one, with
      equal losses. `minutes`: save and stop after so many; the same call goes on.
    - `watch(trained)` is called as often, with the prior so far: write a sample sheet, a curve.
    - The batch is shared among as many of this machine's devices as divide it; weights are kept on each.

    Not for jit: a loop on the host around `train.step`. InputError for what can't be meant and for a loss that became
    non-finite, `OutOfMemory`, `CheckpointError`.
    """
    settings = settings or Training()
    check(settings, report_every)
    found = source if isinstance(source, Photographs) else photographs(source, prior.shape)
    digest = np.frombuffer(bytes.fromhex(found.digest), np.uint8)
    state, losses, checkpoints = single.begin(prior, settings), np.zeros(0, np.float32), None
    if checkpoint is not None:
        checkpoints = Checkpoints(checkpoint, fingerprint(prior, settings, key, digest))
        _, state, losses = checkpoints.load(state) or (0, state, losses)
    with (
        contextlib.closing(checkpoints) if checkpoints else contextlib.nullcontext(),
        memory_advice(
            "The device's memory doesn't hold a batch: divide it (accumulate), or let the network use remat."
        ),
        _bar(settings.steps, len(losses), progress) as bar,
    ):
        loop = _Loop(prior, settings, state, key)
        end, result = time.perf_counter() + 60 * minutes, Trained(prior, losses, len(losses), {})
        while result.step < settings.steps and time.perf_counter() < end:
            stop = min(settings.steps, (result.step // report_every + 1) * report_every)
            recent, speed = loop.run(found, result.step, stop, end, bar)
            losses = np.append(losses, recent)
            if not np.all(np.isfinite(losses)):
                where = int(np.argmin(np.isfinite(losses))) + 1
                raise InputError(f"The loss became non-finite at step {where}: lower the learning rate.")
            if checkpoints is not None:
                checkpoints.save(len(losses), loop.state, losses)
            result = Trained(single.trained(prior, settings, loop.state), losses, len(losses), speed)
            if watch is not None:
                watch(result)
    return result._replace(prior=jax.device_put(single.trained(prior, settings, loop.state), jax.local_devices()[0]))


class _Loop:
    """The compiled step, the devices it runs on, and the state between two calls."""

    def __init__(self, prior: Prior, settings: Training, state: State, key: Array):
        self.settings, part = settings, settings.batch_size // settings.accumulate
        devices = jax.local_devices()[: math.gcd(part, len(jax.local_devices()))]
        mesh = jax.sharding.Mesh(np.asarray(devices), ("batch",))
        everywhere, self.shared = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (None, "batch")))
        self.seed = int(jax.random.bits(jax.random.fold_in(key, 1 << 20))) >> 1  # of the order, a positive int32
        self.view = View(prior.shape[:2], settings.crop, settings.flip)
        self.shape = (settings.accumulate, part, *prior.shape)
        # copied: the buffers are given away step by step, and none of the caller's may be among them
        self.state: State = jax.device_put(jax.tree.map(jnp.copy, state), everywhere)
        self.bare, self.key = jax.device_put((replace(prior, parameters=None), key), everywhere)
        network: Any = prior.network
        self.dtype, self.devices = getattr(network, "dtype", "float32"), len(devices)

    def run(
        self, found: Photographs, start: int, stop: int, end: float, bar: Any
    ) -> tuple[np.ndarray, dict[str, float]]:
        """The steps from number `start` to `stop`, or to the time `end`: the loss of each, and the speed."""
        began, losses = time.perf_counter(), []
        for batch in batches(found, self.view, self.settings.batch_size, self.seed, start, stop):
            images = jax.device_put(batch.reshape(self.shape), self.shared)
            self.state, about = single.step(self.bare, self.settings, self.state, images, self.key)
            losses.append(about["loss"])
            bar.update()
            jax.block_until_ready(losses[-2:][0])  # not the last: the next batch is made ready meanwhile
            if time.perf_counter() > end:
                break
        values = np.asarray(jax.device_get(losses), np.float32)
        bar.set_postfix_str(f"loss {values.mean():.4f}", refresh=False)
        rate = len(losses) / (time.perf_counter() - began)
        return values, {"images_per_second": rate * self.settings.batch_size, "utilisation": rate * self.share}

    @cached_property
    def share(self) -> float:
        """The part of a second that all devices would take for a step at their peak."""
        empty = jax.ShapeDtypeStruct(self.shape, jnp.float32)
        work = flops(single.step.lower(self.bare, self.settings, self.state, empty, self.key))
        return work * self.settings.accumulate / (self.devices * peak_flops(self.dtype))


def check(settings: Training, report_every: int = 1) -> None:
    """InputError for numbers that can't be meant."""
    for name in ("steps", "batch_size", "accumulate"):
        if getattr(settings, name) < 1:
            raise InputError(f"{name} must be at least 1, not {getattr(settings, name)}.")
    if settings.batch_size % settings.accumulate:
        raise InputError(f"A batch of {settings.batch_size} can't be divided into {settings.accumulate} parts.")
    if report_every < 1 or settings.warmup < 0:
        raise InputError("report_every must be at least 1, and warmup at least 0.")
    for name in ("learning_rate", "weight_decay", "clip"):
        if not 0 <= getattr(settings, name) < math.inf:
            raise InputError(f"{name} must be a number from 0 on, not {getattr(settings, name)}.")
    if not 0 <= settings.average < 1 or not 0 < settings.crop <= 1:
        raise InputError("average must lie in [0, 1), and crop in (0, 1].")


def _bar(total: int, done: int, show: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit="step", disable=None if show else True, leave=False)
