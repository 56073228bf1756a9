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

from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError, memory_advice
from jaxrestore.runtime.checkpoints import Checkpoints, fingerprint
from jaxrestore.runtime.compiling import outermost
from jaxrestore.runtime.profiling import flops, peak_flops
from jaxrestore.runtime.progress import progress_bar
from jaxrestore.training.sources import Photographs, Source, View, batches, photographs
from jaxrestore.training.steps import State, Training, begin, step, trained


class Trained(NamedTuple):
    """A prior, and how it came about."""

    prior: Prior
    losses: np.ndarray  # [steps done]
    speed: dict[str, float]  # images_per_second, and utilisation: the share of the devices' peak, since the last report

    @property
    def step(self) -> int:
        """Steps done, of `Training.steps`."""
        return len(self.losses)


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
    - The batch is shared among as many of this machine's devices as divide it (`devices_for`); weights are kept on each.

    Not for jit: a loop on the host around `train.step`. InputError for what can't be meant and for a loss that became
    non-finite, `OutOfMemory`, `CheckpointError`.
    """
    settings = settings or Training()
    check(settings, len(prior.schedule), report_every)
    album = source if isinstance(source, Photographs) else photographs(source, prior.shape)
    with contextlib.ExitStack() as stack:
        state, losses, checkpoints = begin(prior, settings), np.zeros(0, np.float32), None
        if checkpoint is not None:
            checkpoints = Checkpoints(checkpoint, run_of(prior, album, key, settings))
            stack.callback(checkpoints.close)
            _, state, losses = checkpoints.load(state) or (0, state, losses)
        stack.enter_context(
            memory_advice(
                "The device's memory doesn't hold a batch: divide it (accumulate), or let the network use remat."
            )
        )
        bar = stack.enter_context(progress_bar(settings.steps, "step", progress, len(losses)))
        loop = _Loop(prior, settings, state, key)
        del state  # the loop has its own copy
        end = time.perf_counter() + 60 * minutes
        while len(losses) < settings.steps and time.perf_counter() < end:
            start = len(losses)
            stop = min(settings.steps, (start // report_every + 1) * report_every)
            recent, rate = loop.run(album, start, stop, end, bar)
            losses = np.append(losses, recent)
            if not np.all(np.isfinite(losses)):
                where = int(np.argmin(np.isfinite(losses))) + 1
                raise InputError(f"The loss became non-finite at step {where}: lower the learning rate.")
            if checkpoints is not None:
                checkpoints.save(len(losses), loop.state, losses)
            if watch is not None:
                speed = {"images_per_second": rate * settings.batch_size, "utilisation": rate * loop.share}
                watch(Trained(loop.prior(), losses, speed))
        return Trained(loop.prior(), losses, {})


def run_of(prior: Prior, album: Photographs, key: Array, settings: Training) -> str:
    """A digest of all that decides what a training ends in: weights, photographs, key, settings, versions."""
    return fingerprint(prior, settings, key, np.frombuffer(bytes.fromhex(album.digest), np.uint8))


def devices_for(images: int) -> list[Any]:
    """As many of this machine's devices as divide a number of images."""
    devices = jax.local_devices()
    return devices[: max(n for n in range(1, len(devices) + 1) if images % n == 0)]


_step = outermost(step, donate_argnames="state")


class _Loop:
    """The devices that the step runs on, and the state between two calls."""

    def __init__(self, prior: Prior, settings: Training, state: State, key: Array):
        self.base, self.settings, part = prior, settings, settings.batch_size // settings.accumulate
        network: Any = prior.network
        self.peak = peak_flops(getattr(network, "dtype", "float32"))  # before memory fills
        self.devices = devices_for(part)
        mesh = jax.sharding.Mesh(np.asarray(self.devices), ("batch",))
        everywhere, self.shared = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (None, "batch")))
        self.seed = int(jax.random.bits(jax.random.fold_in(key, 1 << 20))) >> 1  # of the order, a positive int32
        self.view = View(prior.shape[:2], settings.crop, settings.flip)
        self.shape = (settings.accumulate, part, *prior.shape)
        # copied: the buffers are given away step by step, and none of the caller's may be among them
        self.state: State = jax.device_put(jax.tree.map(jnp.copy, state), everywhere)
        self.bare, self.key = jax.device_put((replace(prior, parameters=None), key), everywhere)

    def run(self, album: Photographs, start: int, stop: int, end: float, bar: Any) -> tuple[np.ndarray, float]:
        """The steps from number `start` to `stop`, or to the time `end`: the loss of each, and steps a second."""
        began, losses = time.perf_counter(), []
        stream = batches(album, self.view, self.settings.batch_size, self.seed, start, stop)
        with contextlib.closing(stream):  # type: ignore[type-var]  # a generator
            for batch in stream:
                images = jax.device_put(batch.reshape(self.shape), self.shared)
                self.state, about = _step(self.bare, self.settings, self.state, images, self.key)
                losses.append(about["loss"])
                bar.update()
                jax.block_until_ready(losses[-2:][0])  # not the last: the next batch is made ready meanwhile
                if time.perf_counter() > end:
                    break
        values = np.asarray(jax.device_get(losses), np.float32)
        bar.set_postfix_str(f"loss {values.mean():.4f}", refresh=False)
        return values, len(losses) / (time.perf_counter() - began)

    def prior(self) -> Prior:
        """The prior so far, on one device, as a copy: the state's own buffers are given to the next step."""
        prior = trained(self.base, self.settings, self.state)
        return replace(prior, parameters=jax.tree.map(jnp.copy, jax.device_put(prior.parameters, self.devices[0])))

    @cached_property
    def share(self) -> float:
        """The part of a second that all devices would take for a step at their peak; what remat repeats isn't counted."""
        network: Any = self.bare.network
        plain = replace(network, remat=False) if hasattr(network, "remat") else network
        empty = jax.ShapeDtypeStruct(self.shape, jnp.float32)
        work = flops(step.lower(replace(self.bare, network=plain), self.settings, self.state, empty, self.key))
        return work * self.settings.accumulate / (len(self.devices) * self.peak)


def check(settings: Training, length: int, report_every: int = 1) -> None:
    """InputError for numbers that can't be meant; `length` is the schedule's."""
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
    if settings.min_snr is not None and not settings.min_snr > 0:
        raise InputError(f"min_snr must be above 0, not {settings.min_snr}.")
    if settings.times is not None and not 1 <= settings.times <= length:
        raise InputError(f"times must lie between 1 and the schedule's {length}, not {settings.times}.")
    if not 0 <= settings.average < 1 or not 0 < settings.crop <= 1:
        raise InputError("average must lie in [0, 1), and crop in (0, 1].")
