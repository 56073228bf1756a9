"""Blind DPIR, this library's own: DPIR (Zhang et al. 2021) with a blur's kernel that is looked for first.

The kernel is found from the photograph's edges, coarse to fine (`kernel_search`); an operator whose kernel has few numbers
(a Gaussian) takes those that fit it. Then it is known. What is still wrong of it acts as noise: y's noise never counts for
less than `floor`. Where the blur is so weak or the photograph so without edges that a kernel can't be found, one that is
wrong is found all the same: look at the picture of it.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.sizes import takes_any_size
from jaxrestore.errors import InputError
from jaxrestore.methods._dpir import DpirSettings, SplitState, Splitting, check_splitting, numbers_of
from jaxrestore.methods.kernel_search import EdgeSettings, search_kernel
from jaxrestore.methods.settings import BlindWalkSettings, Count, Scalar, changed, settings_of
from jaxrestore.operators import Operator, frame_of, kernels_of, kind_of, middle, partition


@dataclass(frozen=True)
class BlindDpirSettings(EdgeSettings, DpirSettings, BlindWalkSettings):
    """Those of DPIR, and how the kernel is looked for."""

    highest: Annotated[Scalar, Range(1e-3)] = 98 / 255  # deviation at the first step with the kernel that was found
    lowest: Annotated[Scalar, Range(1e-3)] = 8 / 255  # at the last, unless y's noise is more
    floor: Annotated[Scalar, Range(0)] = 8 / 255  # what y's noise counts for at least in the steps on the data
    steps: Count = 8


PUBLISHED = {"any": BlindDpirSettings(), "blind-deblur": BlindDpirSettings(kernel="gaussian")}


@register
@dataclass(frozen=True, kw_only=True)
class BlindDpir(Splitting):
    """Of a blur by an unknown kernel; `blind_dpir` makes it."""

    edges: EdgeSettings = field(default=EdgeSettings(), metadata={"static": True})

    def init(self, y: Array, key: Array) -> SplitState:
        """The measurement, mirrored where it leaves out what nobody knows, and the operator by the kernel that was found."""
        (kernel,) = kernels_of(self.operator)
        rows, columns = frame_of(self.operator)
        inner = middle(y, (y.shape[0] - 2 * rows, y.shape[1] - 2 * columns))
        found: Any = search_kernel(self.prior, inner, len(kernel), self.edges)
        start = jnp.pad(inner, ((rows, rows), (columns, columns), (0, 0)), mode="reflect")
        return SplitState(start, partition(self.operator.with_weights(found))[0], jnp.int32(0))  # type: ignore[attr-defined]

    @property
    def evaluations_before(self) -> int:
        """Those of the search for the kernel, which looks at about twice the photograph's pixels."""
        return 2 * len(self.edges.deviations)


def blind_dpir(
    prior: Prior,
    operator: Operator,
    *,
    settings: BlindDpirSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    strength: Scalar | None = None,
    highest: Scalar | None = None,
    lowest: Scalar | None = None,
    floor: Scalar | None = None,
    steps: int | None = None,
) -> BlindDpir:
    """An image ``[h, w, c]``, in [-1, 1], and the kernel of the `Blur` that made y of it, of which all is unknown.

    The image lies where the kernel's centre of mass in the middle leaves it. `sigma_y`: the rms of y's noise; the other
    numbers are those of `dpir`, and in `settings` those of the search (`EdgeSettings`). InputError for a number out of its
    range, an operator that is no blur by one unknown kernel, or a prior that takes images of one size alone.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.sized(jr.load_prior("photos"), 40, 48)
    >>> method = jr.blind_dpir(prior, jr.Blur(jr.SoftmaxKernel(5)), steps=2)
    >>> y = jr.Blur(jnp.full((3, 3), 1 / 9))(0.3 * jax.random.normal(jax.random.key(0), prior.shape))
    >>> result = jr.restore(method, y, jax.random.key(0))
    >>> result.image.shape, result.operator.kernel().shape
    ((40, 48, 3), (5, 5))
    """
    check_splitting("blind_dpir", prior, sigma_y)
    if not takes_any_size(prior):
        raise InputError(
            f"blind_dpir looks at smaller sizes of the photograph, and the prior {prior.name!r} has one size alone: take "
            "photos, or blind_diffpir."
        )
    kernels = kernels_of(operator)
    if not hasattr(operator, "with_weights") or len(kernels) != 1 or not hasattr(operator.kernel, "fitted"):  # type: ignore[attr-defined]
        raise InputError(
            f"blind_dpir finds the kernel of a Blur by an unknown SoftmaxKernel or GaussianKernel, and this is a "
            f"{type(operator).__name__}: take blind_diffpir."
        )
    chosen = changed(
        settings or settings_of("blind-dpir", PUBLISHED, prior, kind or kind_of(operator)),
        strength=strength,
        highest=highest,
        lowest=lowest,
        floor=floor,
        steps=steps,
    )
    edges = EdgeSettings(**{name: getattr(chosen, name) for name in EdgeSettings.__dataclass_fields__})
    return BlindDpir(prior=prior, operator=operator, edges=edges, **numbers_of(chosen, sigma_y))
