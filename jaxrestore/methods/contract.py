"""What a method is: the contract that the driver is written against, and that a method of your own fulfils."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError
from jaxrestore.operators.contract import Operator
from jaxrestore.stopping import Rule, never

NEVER = never()
Answer = Literal["last", "best"]
Combine = Literal["best", "mean"]


@runtime_checkable
class Iterate(Protocol):
    """One point of a search, a NamedTuple of float arrays: all of it belongs together."""

    @property
    def image(self) -> Float[Array, "h w c"]:
        """In [-1, 1]."""
        ...

    @property
    def noise(self) -> Float[Array, "h w c"] | None:
        """The noise that generates the image, or None for a method that has none."""
        ...

    @property
    def data_term(self) -> Float[Array, ""]:
        """The mean square of H(image) - y over all entries of y, in units of [-1, 1]."""
        ...


@dataclass(frozen=True, kw_only=True)
class Method:
    """The base of every method: about one image and one measurement, a pytree, with pure functions `init` and `step`.

    Batches and restarts are `jax.vmap` of it, so image i has the same result in any batch. A method of your own is a
    registered frozen dataclass with these two functions; it runs through `restore` and `run` like ours. Numbers that are
    leaves can be replaced (`dataclasses.replace`) and vmapped over without compiling anew; static fields can't.

    >>> from dataclasses import dataclass
    >>> from typing import NamedTuple
    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> class Point(NamedTuple):
    ...     image: jax.Array
    ...     noise: jax.Array
    ...     data_term: jax.Array
    >>> @jr.register
    ... @dataclass(frozen=True, kw_only=True)
    ... class RandomSearch(jr.Method):
    ...     '''The best of so many images that the prior draws.'''
    ...     def init(self, y, key):
    ...         return jax.random.bits(key)
    ...     def step(self, state, y):
    ...         noise = jax.random.normal(jax.random.key(state), self.prior.shape)
    ...         image = jr.unroll(self.prior, noise, skip=250)
    ...         return state + 1, Point(image, noise, jnp.mean((self.operator(image) - y) ** 2))
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> method = RandomSearch(prior=prior, operator=jr.AveragePool(8), iterations=20, answer="best")
    >>> jr.restore(method, jnp.full((1, 1, 3), 0.1), jax.random.key(0)).message
    'all 20 iterations were run'
    """

    prior: Prior
    operator: Operator  # with its unknown leaves as they are at the start
    sigma_y: Any = 0.0  # rms of y - H(true image) over all entries of y, in units of [-1, 1]; 0: none, or unknown
    iterations: int = field(default=100, metadata={"static": True})  # of a search, at most
    answer: Answer = field(
        default="last", metadata={"static": True}
    )  # which iterate is the result, the best by `score`
    restarts: int = field(default=1, metadata={"static": True})  # searches an image, from different keys
    combine: Combine = field(
        default="best", metadata={"static": True}
    )  # what they make: the best by `score`, their mean
    stop: Rule = NEVER  # when a search ends before its iterations are spent

    def init(self, y: Array, key: Array) -> PyTree:
        """The state before the first iteration, of float and integer arrays."""
        raise NotImplementedError

    def step(self, state: PyTree, y: Array) -> tuple[PyTree, Any]:
        """One iteration: the next state, and an `Iterate`."""
        raise NotImplementedError

    def finished(self, state: PyTree) -> Array:
        """Whether there is nothing more to do: another step would change nothing, or isn't called for."""
        return jnp.bool_(False)

    @property
    def evaluations(self) -> int | None:
        """Network evaluations of an iteration, where it is known how many: what a run will cost."""
        return None

    @property
    def evaluations_before(self) -> int:
        """Network evaluations before the first iteration, by `init`; of smaller images in shares of the whole."""
        return 0

    def score(self, iterate: Any) -> Array:
        """What the best of several answers has least of: the distance of the data term from the noise's variance.

        With no noise that is the data term. With noise, an image that explains y better than the truth does has begun to
        reproduce the noise (the discrepancy principle). With H = identity it needs sigma_y: a small data term alone means
        no more than that the degradation has been reproduced.
        """
        return jnp.abs(iterate.data_term - jnp.asarray(self.sigma_y) ** 2)

    def operator_at(self, iterate: Any) -> Operator:
        """The whole operator that belongs to an iterate."""
        return self.operator


def refuse_latents(prior: Prior) -> None:
    """InputError for a prior of latents, under which an image has no noise of its own."""
    if prior.latent is not None:
        raise InputError(
            f"The prior {prior.name!r} is one of latents, under which images have no noise of their own: take bird or "
            "invert2restore with an operator (Identity() for none)."
        )
