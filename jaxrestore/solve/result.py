"""What a restoration gives: one answer whose parts belong together, every restart, and how they become one."""

import html
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Method
from jaxrestore.metrics.fidelity import data_residual
from jaxrestore.operators import put_back
from jaxrestore.stopping import Status


@register
@dataclass(frozen=True)
class Restoration:
    """The result. Leading axes ``*b`` are those of y: none, or ``[b]`` of a batch."""

    image: Any  # [*b, h, w, c] in [-1, 1]; of `restore` with what was measured of it put back, where it was kept
    noise: Any  # [*b, h, w, c] that generates the image; None for a mean of restarts, and for methods that have none
    operator: Any  # as estimated; for a mean of restarts that of the restart of the lowest score
    data_term: Any  # [*b] mean square of operator(image) - y, of this image and this operator, in units of [-1, 1]
    score: Any  # [*b] by the method, the lower the better; None for a mean, which has no noise to be judged by
    iterations: Any  # [*b] int32, run; for a mean those, and the two below, of the restart of the lowest score
    status: Any  # [*b] int32, of `Status`
    history: Any  # [*b, iterations] data term of each iteration, after the end that of the last
    restarts: "Restoration | None" = (
        None  # every search, [restarts, *b, ...], as it ended; None from `run`, which is one
    )

    @property
    def messages(self) -> list[str]:
        """How the search of each image ended, in words. Not for jit: it makes text."""
        counts, codes = jnp.ravel(self.iterations).tolist(), jnp.ravel(self.status).tolist()
        return [Status(code).sentence(count) for code, count in zip(codes, counts, strict=True)]

    @property
    def message(self) -> str:
        """The messages, a line each."""
        return "\n".join(self.messages)

    def _repr_html_(self) -> str | None:
        """The strip that `show` makes, and the messages, for notebooks; none where there are more axes, as of restarts."""
        if jnp.ndim(self.image) not in (3, 4):
            return None
        from jaxrestore.solve.showing import show  # which is about this class

        return f"{show(self)._repr_html_()}<pre>{html.escape(self.message)}</pre>"


def image_of(result: Restoration, index: int) -> Restoration:
    """The result of one image of a batch, its restarts with it. Pure."""
    restarts = jax.tree.map(lambda leaf: leaf[:, index], result.restarts)
    alone = jax.tree.map(lambda leaf: leaf[index], replace(result, restarts=None))
    return replace(alone, restarts=restarts)


def best(result: Restoration) -> Restoration:
    """The restart of the lowest score among those that are finite: its image, noise, operator and numbers. Pure.

    InputError for the result of `run`, which is a single search.
    """
    restarts = _restarts(result)
    index = jnp.argmin(jnp.where(_usable(restarts), restarts.score, jnp.inf), axis=0)
    where = (index,) if index.ndim == 0 else (index, jnp.arange(index.shape[0]))
    return jax.tree.map(lambda leaf: leaf[where], restarts)


def mean_image(result: Restoration) -> Float[Array, "*b h w c"]:
    """The mean image of the restarts that are finite, nan where none is: the better estimate where one answer is one of many.

    Pure. InputError for the result of `run`, which is a single search.
    """
    restarts = _restarts(result)
    weight = _usable(restarts)[..., None, None, None]
    return jnp.sum(jnp.where(weight, restarts.image, 0.0), axis=0) / jnp.sum(weight, axis=0, dtype=restarts.image.dtype)


def combined(method: Method, y: Array, restarts: Restoration, keep_known: bool) -> Restoration:
    """The result of a batch ``y [b, ...]`` from that of its searches ``[restarts, b, ...]``, by the method's `combine`.

    With `keep_known` what was measured of the image itself is put back (`operators.put_back`). Pure.
    """
    every = Restoration(*[None] * 8, restarts=restarts)
    answer = best(every)
    if method.combine == "mean":
        answer = replace(answer, image=mean_image(every), noise=None, score=None)
    if keep_known:
        answer = replace(answer, image=jax.vmap(put_back)(answer.operator, answer.image, y))
    if keep_known or method.combine == "mean":
        answer = replace(answer, data_term=jax.vmap(data_residual)(answer.operator, answer.image, y))
    return replace(answer, restarts=restarts)


def _restarts(result: Restoration) -> Restoration:
    if result.restarts is None:
        raise InputError("This is the result of a single search (run): only restore keeps restarts.")
    return result.restarts


def _usable(restarts: Restoration) -> Array:
    return jnp.isfinite(restarts.data_term) & jnp.all(jnp.isfinite(restarts.image), axis=(-3, -2, -1))
