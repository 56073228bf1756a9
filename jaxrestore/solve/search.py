"""The search as pure functions: one program that iterates a method on a batch, decides when each image is done, and keeps
its answer. `restore` (in driver.py) adds what a person at a terminal wants.

It is written against `methods.contract.Method`, which is about one image: this module adds the batch.
"""

import contextlib
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Method
from jaxrestore.operators import measure_shape
from jaxrestore.solve.result import Restoration
from jaxrestore.stopping import Seen, Status


class Search(NamedTuple):
    """Where one image's search stands; everything that a resumed run needs."""

    state: PyTree  # the method's
    answer: PyTree  # the iterate that is the answer so far; zeros, of infinite data term, before there is one
    score: Array  # [] of the answer; infinite before there is one
    data_term: Array  # [] of the last iterate
    iteration: Array  # [] int32
    status: Array  # [] int32
    memory: PyTree  # what the stopping rule remembers


def is_batched(method: Method, y: Array) -> bool:
    """Whether y is a batch of measurements rather than one; InputError if it is neither for this operator and prior."""
    one = measure_shape(method.operator, method.prior.shape)
    if y.shape == one:
        return False
    if y.shape[1:] == one and y.shape[0] > 0:
        return True
    raise InputError(
        f"The measurement has shape {y.shape}, but the operator makes {one} of the prior's images {method.prior.shape}: "
        "give one such array, or a batch of them along a first axis."
    )


def init(method: Method, y: Array, key: Array | np.ndarray) -> PyTree:
    """The method's starting state for one y, or for a batch: then with one key for all or a key ``[b]`` each. Pure."""
    key = typed_keys(key)
    if not is_batched(method, y):
        return method.init(y, key)
    return jax.vmap(method.init, in_axes=(0, 0 if jnp.ndim(key) else None))(y, key)


def typed_keys(key: Any) -> Array:
    """A key, or a batch of them, as typed keys: of ``jax.random.key``, or raw ones, of ``jax.random.PRNGKey``. InputError for
    what is neither. Pure."""
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return jnp.asarray(key)
    if dtype == jnp.uint32 and jnp.ndim(key):
        with contextlib.suppress(TypeError, ValueError):  # its last axis is not that of a key
            return jax.random.wrap_key_data(jnp.asarray(key))
    raise InputError(f"A key is needed, as jax.random.key(0) makes it, not {str(key)[:80]} ({type(key).__name__}).")


@jax.jit
def step(method: Method, state: PyTree, y: Array) -> tuple[PyTree, PyTree]:
    """One iteration on one y or on a batch: (state, iterate). Pure; the method is an argument, so nothing is baked in."""
    return jax.vmap(partial(_step, method))(state, y) if is_batched(method, y) else _step(method, state, y)


@jax.jit
def _step(method: Method, state: PyTree, y: Array) -> tuple[PyTree, PyTree]:
    """A program of its own within others, so that JAX traces it once for all of them: that is most of a start."""
    return method.step(state, y)


def begin(method: Method, y: Array, keys: Array) -> Search:
    """The search over a batch y ``[n, ...]`` with keys ``[n]``, before its first iteration. Pure."""
    n = y.shape[0]
    state = jax.vmap(method.init)(y, keys)
    shapes = jax.eval_shape(jax.vmap(partial(_step, method)), state, y)[1]
    empty = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    infinite, zero = jnp.full(n, jnp.inf, shapes.data_term.dtype), jnp.zeros(n, jnp.int32)
    memory = method.stop.start(shapes.image.shape[1:])
    memory = jax.tree.map(lambda leaf: jnp.tile(leaf, (n, *[1] * leaf.ndim)), memory)
    search = Search(state, empty._replace(data_term=infinite), infinite, infinite, zero, zero, memory)
    return jax.tree.map(_strong, search)


def _strong(leaf: Array) -> Array:
    """Of its type for good, as an iteration leaves it: a weak one at the start would be another program's."""
    return jax.lax.convert_element_type(leaf, leaf.dtype) if getattr(leaf, "weak_type", False) else leaf


def advance(method: Method, search: Search, y: Array) -> Search:
    """One iteration of one image's search; a search that has ended stays as it is. Pure."""
    state, iterate = _step(method, search.state, y)
    data_term, iteration = iterate.data_term, search.iteration + 1
    seen = Seen(iteration, iterate.image, data_term, jnp.asarray(method.sigma_y))
    memory, status = method.stop.look(search.memory, seen)
    status = jnp.where((status == Status.RUNNING) & method.finished(state), int(Status.FINISHED), status)
    finite = jnp.isfinite(data_term) & jnp.all(jnp.isfinite(iterate.image))
    status = jnp.where(finite, status, int(Status.NON_FINITE))
    score = jnp.asarray(method.score(iterate), data_term.dtype)
    taken = finite if method.answer == "last" else finite & ~(score >= search.score)
    moved = Search(
        jax.tree.map(partial(jnp.where, finite), state, search.state),
        jax.tree.map(partial(jnp.where, taken), iterate, search.answer),
        jnp.where(taken, score, search.score),
        data_term,
        iteration,
        status,
        memory,
    )
    return jax.tree.map(partial(jnp.where, search.status == Status.RUNNING), moved, search)


def chunk(method: Method, search: Search, y: Array, count: Any, size: int) -> tuple[Search, Float[Array, "n size"]]:
    """Up to `count` <= `size` iterations on a batch, ending early when every search has; and the data term after each, which
    stays as it was once a search has ended.

    `count` may be a tracer: one program serves every chunk. Pure; no reverse-mode derivative (it is a while loop).
    """

    def going(carry: Any) -> Array:
        return (carry[0] < count) & jnp.any(carry[1].status == Status.RUNNING)

    def iterate(carry: Any) -> Any:
        i, search, history = carry
        search = _each(partial(advance, method), search, y)
        later = jnp.arange(size) >= i
        return i + 1, search, jnp.where(later[None], search.data_term[:, None], history)

    history = jnp.broadcast_to(search.data_term[:, None], (y.shape[0], size))
    return jax.lax.while_loop(going, iterate, (0, search, history))[1:]


def _each(function: Any, *batches: PyTree) -> PyTree:
    """The function of each of a batch; of a batch of one without a batch, so that of two branches one is computed."""
    if len(jax.tree.leaves(batches)[0]) > 1:
        return jax.vmap(function)(*batches)
    alone = function(*jax.tree.map(lambda leaf: leaf[0], batches))
    return jax.tree.map(lambda leaf: leaf[None], alone)


def finish(method: Method, search: Search, history: Array) -> Restoration:
    """The result of a batch of searches; where one has no answer there are no numbers (NaN). Pure."""
    none = jnp.isinf(search.answer.data_term)
    answer = jax.tree.map(
        lambda leaf: jnp.where(none.reshape(-1, *[1] * (leaf.ndim - 1)), jnp.nan, leaf), search.answer
    )
    return Restoration(
        answer.image,
        answer.noise,
        jax.vmap(method.operator_at)(answer),
        search.answer.data_term,
        search.score,
        search.iteration,
        jnp.where(search.status == Status.RUNNING, int(Status.ITERATIONS), search.status),
        history,
    )


def run(method: Method, y: Array | np.ndarray, key: Array | np.ndarray) -> Restoration:
    """One search for one measurement y as a pure function: jit it, vmap it over keys, measurements or rates.

    The method is an argument of the jitted function, never closed over. Its `restarts` and `combine` are `restore`'s: here
    they are `jax.vmap` over keys, and what `best` and `mean_image` do. No reverse-mode derivative. InputError for a batch.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> method, y = jr.bird(prior, jr.AveragePool(2), iterations=5, skip=250), jnp.full((4, 4, 3), 0.1)
    >>> keys = jax.random.split(jax.random.key(0), 3)
    >>> jax.jit(jax.vmap(jr.run, in_axes=(None, None, 0)))(method, y, keys).image.shape
    (3, 8, 8, 3)
    """
    y, key = jnp.asarray(y, jnp.float32), typed_keys(key)
    if is_batched(method, y):
        raise InputError("run takes one measurement; use jax.vmap over a batch, or restore.")
    search, history = chunk(method, begin(method, y[None], key[None]), y[None], method.iterations, method.iterations)
    return jax.tree.map(lambda leaf: leaf[0], finish(method, search, history))
