"""The search as pure functions: one program that iterates a method on a batch, decides when each image is done, and keeps
its answer. `restore` (in restore.py) adds what a person at a terminal wants.

A method is a pytree with ``init(key, y) -> state``, ``step(state, y) -> (state, iterate)``, ``score(iterate)``,
``operator_at(iterate)``, maybe ``finished(state)``, and the attributes ``prior``, ``operator``, ``noise_level``, ``answer``,
``iterations``; an iterate is a NamedTuple of float arrays with an ``image``, a ``noise`` (or None) and a ``data_term``. All
of them are about one image: this module adds the batch.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxrestore._pytree import register
from jaxrestore.operators.unknown import measure_shape
from jaxrestore.solve.stopping import Status, Stop, Watch, look, start_watch


class Search(NamedTuple):
    """Where one image's search stands; everything that a resumed run needs."""

    state: PyTree  # the method's
    answer: PyTree  # the iterate that is the answer so far
    data_term: Array  # [] of the last iterate
    iteration: Array  # [] int32
    status: Array  # [] int32
    watch: Watch  # what the stopping rules remember


@register
@dataclass(frozen=True)
class Restoration:
    """The result. Leading axes are those of y. Image, noise and operator come from one iteration, except where restarts
    are combined to their mean image: then noise, operator and numbers are those of the best restart."""

    image: Any  # [*b, h, w, c] in [-1, 1]
    noise: Any  # [*b, h, w, c], or None where the method has none
    operator: Any  # the operator as estimated
    data_term: Any  # [*b] of the answer
    score: Any  # [*b] of the answer, by the method: the lower the better
    iterations: Any  # [*b] int32, run
    status: Any  # [*b] int32, of `Status`
    history: Any  # [*b, iterations] data term of each iteration, nan after the end
    samples: Any = None  # [restarts, *b, h, w, c] the image of each restart

    @property
    def sentences(self) -> list[str]:
        """How each search ended, in words. Not for jit: it makes text."""
        counts, codes = jnp.ravel(self.iterations).tolist(), jnp.ravel(self.status).tolist()
        return [Status(code).sentence(count) for code, count in zip(codes, counts, strict=True)]


def is_batched(method: Any, y: Array) -> bool:
    """Whether y is a batch of measurements rather than one; ValueError if it is neither for this operator and prior."""
    one = measure_shape(method.operator, method.prior.shape)
    if y.shape == one:
        return False
    if y.shape[1:] == one and y.shape[0] > 0:
        return True
    raise ValueError(
        f"The measurement has shape {y.shape}, but the operator makes {one} of the prior's images {method.prior.shape}: "
        "give one such array, or a batch of them along a first axis."
    )


def init(method: Any, key: Array, y: Array) -> PyTree:
    """The method's starting state for one y, or for a batch: then with one key for all or a key ``[b]`` each. Pure."""
    if not is_batched(method, y):
        return method.init(key, y)
    return jax.vmap(method.init, in_axes=(0 if jnp.ndim(key) else None, 0))(key, y)


@jax.jit
def step(method: Any, state: PyTree, y: Array) -> tuple[PyTree, PyTree]:
    """One iteration on one y or on a batch: (state, iterate). Pure; the method is an argument, so nothing is baked in."""
    return jax.vmap(partial(_step, method))(state, y) if is_batched(method, y) else _step(method, state, y)


@jax.jit
def _step(method: Any, state: PyTree, y: Array) -> tuple[PyTree, PyTree]:
    """A program of its own within others, so that JAX traces it once for all of them: that is most of a start."""
    return method.step(state, y)


def begin(method: Any, stop: Stop, keys: Array, y: Array) -> Search:
    """The search over a batch y ``[n, ...]`` with keys ``[n]``, before its first iteration. Pure."""
    n = y.shape[0]
    state = jax.vmap(method.init)(keys, y)
    shapes = jax.eval_shape(jax.vmap(partial(_step, method)), state, y)[1]
    empty = jax.tree.map(lambda leaf: jnp.full(leaf.shape, jnp.nan, leaf.dtype), shapes)
    infinite, zero = jnp.full(n, jnp.inf), jnp.zeros(n, jnp.int32)
    watch = jax.tree.map(lambda leaf: jnp.tile(leaf, (n, *[1] * leaf.ndim)), start_watch(stop, shapes.image.shape[1:]))
    return Search(state, empty._replace(data_term=infinite), infinite, zero, zero, watch)


def advance(method: Any, stop: Stop, search: Search, y: Array) -> Search:
    """One iteration of one image's search; a search that has ended stays as it is. Pure."""
    state, iterate = _step(method, search.state, y)
    data_term, iteration = iterate.data_term, search.iteration + 1
    watch, status = look(stop, search.watch, iteration, iterate.image, data_term, method.noise_level)
    if hasattr(method, "finished"):
        status = jnp.where((status == Status.RUNNING) & method.finished(state), int(Status.FINISHED), status)
    finite = status != Status.NON_FINITE
    better = True if method.answer == "last" else ~(method.score(iterate) >= method.score(search.answer))
    moved = Search(
        jax.tree.map(partial(jnp.where, finite), state, search.state),
        jax.tree.map(partial(jnp.where, finite & better), iterate, search.answer),
        data_term,
        iteration,
        status,
        watch,
    )
    return jax.tree.map(partial(jnp.where, search.status == Status.RUNNING), moved, search)


def chunk(
    method: Any, stop: Stop, search: Search, y: Array, count: Any, size: int
) -> tuple[Search, Float[Array, "n size"]]:
    """Up to `count` <= `size` iterations on a batch, ending early when every search has; and the data term of each.

    `count` may be a tracer: one program serves every chunk. Pure; no reverse-mode derivative (it is a while loop).
    """

    def going(carry):
        return (carry[0] < count) & jnp.any(carry[1].status == Status.RUNNING)

    def iterate(carry):
        i, search, history = carry
        running = search.status == Status.RUNNING
        search = jax.vmap(partial(advance, method, stop))(search, y)
        return i + 1, search, history.at[:, i].set(jnp.where(running, search.data_term, jnp.nan))

    history = jnp.full((y.shape[0], size), jnp.nan)
    return jax.lax.while_loop(going, iterate, (0, search, history))[1:]


def finish(method: Any, search: Search, history: Array) -> Restoration:
    """The result of a batch of searches. Pure."""
    return Restoration(
        search.answer.image,
        search.answer.noise,
        jax.vmap(method.operator_at)(search.answer),
        search.answer.data_term,
        jax.vmap(method.score)(search.answer),
        search.iteration,
        jnp.where(search.status == Status.RUNNING, int(Status.ITERATIONS), search.status),
        history,
    )


def run(method: Any, y: Array, key: Array, iterations: int | None = None, stop: Stop | None = None) -> Restoration:
    """The whole search for one measurement y as a pure function: jit it, vmap it over keys, measurements or rates.

    `iterations` is static (default: the method's). No reverse-mode derivative. For batches with progress, restarts and
    checkpoints, see `restore`.
    """
    if is_batched(method, y):
        raise ValueError("run takes one measurement; use jax.vmap over a batch, or restore.")
    if iterations is not None:
        method = replace(method, iterations=iterations)
    stop = stop or Stop()
    search, history = chunk(
        method, stop, begin(method, stop, key[None], y[None]), y[None], method.iterations, method.iterations
    )
    return jax.tree.map(lambda leaf: leaf[0], finish(method, search, history))
