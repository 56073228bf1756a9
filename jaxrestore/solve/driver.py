"""The driver: restores a measurement or a batch, with restarts, progress, stopping and checkpoints."""

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, PyTree

from jaxrestore.errors import CheckpointError, InputError, Notice, memory_advice
from jaxrestore.files.ranges import as_measurement, check_restorable
from jaxrestore.methods.contract import Method
from jaxrestore.operators import kind_of, selected
from jaxrestore.runtime.checkpoints import Checkpoints, fingerprint
from jaxrestore.runtime.compiling import outermost
from jaxrestore.runtime.devices import Devices, divided, everywhere, mesh_of
from jaxrestore.runtime.progress import Estimate, Pace, progress_bar
from jaxrestore.solve.result import Restoration, combined, image_of
from jaxrestore.solve.search import Search, begin, chunk, finish, is_batched, typed_keys
from jaxrestore.stopping import Status


def restore(
    method: Method,
    y: Any,
    key: Array | np.ndarray,
    *,
    keep_known: bool | None = None,
    batch_size: int | None = None,
    chunk_size: int = 10,
    devices: Devices | None = None,
    divide_prior: bool = False,
    checkpoint: str | Path | None = None,
    progress: bool = False,
    on_estimate: Estimate | None = None,
    callback: Callable[[int, Search], None] | None = None,
) -> Restoration:
    """Restore one measurement, or a batch of them along a first axis, by the method's iterations, restarts and rules.

    - `y`: a float array, or what NumPy makes one of. A picture's is in [-1, 1], noise beyond; InputError for integers and for
      numbers that are far outside, a warning for what looks like [0, 1]. What the operator leaves out of it isn't looked at.
    - `key`: one key (of ``jax.random.key``, or a raw one), or ``[b]``, one per image. Under one key every image has the noise
      it would have alone, so an image's result doesn't depend on the batch around it (to float tolerance; convolutions of
      other batch sizes differ in the last bits).
    - `keep_known`: put back what was measured of the image itself (known pixels, a luma). Default: where the method's
      sigma_y is 0.
    - `batch_size`: searches that run at once (default: all); memory grows with it, speed hardly beyond a few on CPU.
    - `devices`: "all" of this process, a number, a list, or a mesh of one axis: searches are divided among them, and a group
      that they don't divide is filled up with searches that are left out of the result. The prior is copied to each, or
      with `divide_prior` divided among them where it is too large. Default: where the method's arrays lie.
    - `checkpoint`: a folder. Saved every `chunk_size` iterations; the same call after a kill goes on from the last one and
      ends bit-equal on the same CPU (on a GPU: where XLA's deterministic kernels are on). Where one can't be written (a full
      disk) the search goes on without, and a warning (`errors.Notice`) says so.
    - `callback(iteration, search)` is called after every chunk, whose arrays the next one takes: copy what you keep.
    - `progress` shows a bar (only at a terminal). ``on_estimate(seconds)`` is called once, when a few seconds of iterations
      have told how long the rest will take at most. Chunks are run in parts for them, which changes no result.

    How many restarts there are, how they become one image, and when a search stops is the method's to say
    (``jr.bird(..., restarts=4, combine="mean", stop=jr.plateau())``). Not for jit, it is a loop on the host: `run` is the
    pure function. Raises InputError for what doesn't fit, `OutOfMemory`, `CheckpointError`.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior, mask = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5), jr.Mask(jr.box_mask((8, 8), 3))
    >>> method = jr.bird(prior, mask, iterations=5, skip=250, restarts=2, combine="mean")
    >>> result = jr.restore(method, mask(jnp.full((8, 8, 3), 0.1)), jax.random.key(0))
    >>> result.image.shape, result.restarts.noise.shape
    ((8, 8, 3), (2, 8, 8, 3))
    """
    if chunk_size < 1 or (batch_size is not None and batch_size < 1):
        raise InputError("chunk_size and batch_size must be at least 1.")
    _check(method)
    y = as_measurement(y)
    batched = is_batched(method, y)
    images = y if batched else y[None]
    if not bool(jnp.all(jnp.isfinite(images))):
        raise InputError("The measurement holds values that are not finite (NaN or infinite).")
    check_restorable(method.operator, images, method.prior.shape)
    images = selected(method.operator, jnp.asarray(images, jnp.float32))
    b, restarts = images.shape[0], method.restarts
    keys = _keys(key, b, restarts)
    problems = jnp.tile(images, (restarts, *[1] * (images.ndim - 1)))  # restart by restart, as the keys

    size = min(batch_size or len(problems), len(problems))
    mesh = None if devices is None else mesh_of(devices)
    if mesh is not None:
        size = -(-size // mesh.size) * mesh.size
        method = everywhere(method, mesh, divide_prior)
    starts, results = range(0, len(problems), size), []
    with progress_bar(method.iterations * len(starts), "it", progress) as bar:
        pace = Pace(bar, on_estimate)
        for number, start in enumerate(starts):
            # a short last group repeats its last search: one program for all groups
            rows = np.minimum(np.arange(start, start + size), len(problems) - 1)
            folder = None if checkpoint is None else Path(checkpoint) / f"group-{number:04d}"
            loop = _Loop(chunk_size, folder, pace, callback, mesh)
            with memory_advice(
                f"The device's memory doesn't hold {size} searches at once: pass a smaller batch_size, "
                'or compute in bfloat16 (load_prior(..., dtype="bfloat16")).'
            ):
                results.append(_search(method, problems[rows], keys[rows], loop))
    joined = jax.tree.map(lambda *parts: jnp.concatenate(parts)[: len(problems)], *results)
    if mesh is not None:
        joined, method = jax.device_put((joined, method), mesh.devices.flat[0])
    every = jax.tree.map(lambda leaf: leaf.reshape(restarts, b, *leaf.shape[1:]), joined)
    keep = not float(method.sigma_y) > 0 if keep_known is None else keep_known
    result = _combined(method, images, every, keep)
    return result if batched else image_of(result, 0)


def _check(method: Method) -> None:
    """InputError for settings with which nothing can be restored."""
    for name in ("iterations", "restarts"):
        if getattr(method, name) < 1:
            raise InputError(f"{name} must be at least 1, not {getattr(method, name)}.")
    if method.combine not in ("best", "mean"):
        raise InputError(f"combine must be 'best' or 'mean', not {method.combine!r}.")
    best = method.combine == "best" and method.restarts > 1
    if best and kind_of(method.operator) == "denoise" and not float(method.sigma_y) > 0:
        raise InputError(
            "With H = identity the restart of the lowest data term is the one that reproduces the noise best: "
            'give the method a sigma_y, or combine="mean".'
        )


def _keys(key: Array | np.ndarray, b: int, restarts: int) -> Array:
    """A key per search, ``[restarts * b]``: the first restart has the given ones, so that it is what `run` does."""
    key = typed_keys(key)
    keys = jnp.broadcast_to(key, (b,)) if jnp.ndim(key) == 0 else key
    if keys.shape != (b,):
        raise InputError(f"There are {b} images and {keys.size} keys: give one key, or one per image.")
    fold = jax.vmap(jax.random.fold_in, in_axes=(0, None))
    return jnp.concatenate([keys, *(fold(keys, restart) for restart in range(1, restarts))])


@dataclass(frozen=True)
class _Loop:
    """What the loop on the host does around the chunks."""

    chunk_size: int
    checkpoint: Path | None
    pace: Pace
    callback: Callable[[int, Search], None] | None
    mesh: Mesh | None

    def place(self, tree: PyTree) -> PyTree:
        """Arrays by search, where the searches run."""
        return tree if self.mesh is None else divided(tree, self.mesh)


_begin = outermost(begin)
_finish = outermost(finish)
_chunk = outermost(chunk, static_argnames="size", donate_argnames="search")
_combined = outermost(combined, static_argnames="keep_known")


def _search(method: Method, y: Array, keys: Array, loop: _Loop) -> Restoration:
    """The search over one batch, chunk by chunk."""
    keys, y = loop.place((keys, y))
    search, history, done = _begin(method, y, keys), np.zeros((len(y), 0), np.float32), 0
    search = loop.place(jax.tree.map(jnp.copy, search))  # donated below: no buffer of the caller's may be among them
    with contextlib.ExitStack() as stack:
        checkpoints = None
        if loop.checkpoint is not None:
            checkpoints = Checkpoints(loop.checkpoint, fingerprint(method, keys, y))
            stack.callback(checkpoints.close)
            done, search, history = checkpoints.load(search) or (done, search, history)
            search = loop.place(search)
            loop.pace.skipped(done)
        left = done < method.iterations and _running(search)
        if left and loop.pace.watched:  # compile: what is timed below are iterations
            search = loop.place(jax.block_until_ready(_chunk(method, search, y, 0, loop.chunk_size)[0]))
            loop.pace.bar.unpause()
        while done < method.iterations and _running(search):
            end = min(done + loop.chunk_size, method.iterations)
            while done < end and _running(search):
                count, began = loop.pace.count(end - done), perf_counter()
                search, part = _chunk(method, search, y, count, loop.chunk_size)
                search = loop.place(search)  # nothing moves, unless the compiler chose another place
                history = np.concatenate([history, np.asarray(part)[:, :count]], axis=1)
                done += count
                loop.pace.bar.set_postfix_str(f"data term {float(jnp.mean(search.data_term)):.5f}", refresh=False)
                loop.pace.ran(count, perf_counter() - began)
            if checkpoints is not None and not _saved(checkpoints, done, search, history):
                checkpoints = None
            if loop.callback is not None:
                loop.callback(done, search)
    loop.pace.skipped(method.iterations - done)
    history = np.pad(history, ((0, 0), (0, method.iterations - history.shape[1])), mode="edge")
    return _finish(method, search, history)


def _saved(checkpoints: Checkpoints, done: int, search: Search, history: np.ndarray) -> bool:
    """Save a checkpoint; where it can't be written, say so: the image needs none."""
    try:
        checkpoints.save(done, search, history)
    except CheckpointError as error:
        warnings.warn(f"{error} The search goes on without checkpoints.", Notice, stacklevel=2)
        return False
    return True


def _running(search: Search) -> bool:
    return bool(jnp.any(search.status == Status.RUNNING))
