"""SelfDeblur: neural blind deconvolution using deep priors (Ren et al., CVPR 2020, arXiv 1908.02197).

As deep image prior, with an operator of which something is unknown: Adam on the image's network and on the kernel's
parameters together. The paper's kernel is that of a small fully connected network with a softmax at its end, which is
`GeneratedKernel`: give the operator that one for the paper's method. Any other kernel or operator that declares unknown
leaves is fitted in the same way.

What is our reading: the loss stays the mean square, where the published code goes over to structural similarity after
1000 iterations. The weight of the total variation is the paper's, of means in units of [-1, 1].
"""

from dataclasses import dataclass

from jaxrestore._pytree import register
from jaxrestore.diffusion.prior import Prior
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import Scalar, changed, settings_of
from jaxrestore.methods.untrained import Untrained, UntrainedSettings, parts_of
from jaxrestore.operators import Operator, kind_of
from jaxrestore.stopping import Rule

# The published code's rates, and when they are halved, its noise and its iterations; no average.
PUBLISHED = {
    "any": UntrainedSettings(
        iterations=5000,
        halved_at=(0.4, 0.6, 0.8),
        skip=16,
        inputs=8,
        jitter=0.001,
        average=0.0,
        variation=2e-6,
    )
}


@register
@dataclass(frozen=True, kw_only=True)
class SelfDeblur(Untrained):
    """A step of Adam on network and operator is an iteration; `selfdeblur` makes it."""


def selfdeblur(
    prior: Prior,
    operator: Operator,
    *,
    settings: UntrainedSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    lr: Scalar | None = None,
    operator_lr: Scalar | None = None,
    iterations: int | None = None,
    channels: int | None = None,
    levels: int | None = None,
    skip: int | None = None,
    inputs: int | None = None,
    jitter: Scalar | None = None,
    average: Scalar | None = None,
    variation: Scalar | None = None,
    restarts: int = 1,
    combine: Combine = "best",
    stop: Rule | None = None,
) -> SelfDeblur:
    """An image ``[h, w, c]``, in [-1, 1], that a network makes which has seen nothing but y, and what is unknown of the
    differentiable `operator`.

    Every keyword is that of `dip`; `operator_lr`, from 0 on, is Adam's rate on the operator. The best of `restarts`, by
    the data term's distance from `sigma_y` squared, is the result, as kernels of several may lie at several places.
    InputError for a number out of its range, an image of odd sides, an operator without derivatives.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> shape = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 1.0)
    >>> blur = jr.Blur(jr.GeneratedKernel(3, jax.random.key(1), inputs=4, hidden=5))
    >>> method = jr.selfdeblur(shape, blur, iterations=20, channels=4, levels=1)
    >>> result = jr.restore(method, jnp.full((8, 8, 3), 0.5), jax.random.key(0))
    >>> bool(result.data_term < result.history[0]), round(float(result.operator.kernel().sum()), 4)
    (True, 1.0)
    """
    chosen = changed(
        settings or settings_of("selfdeblur", PUBLISHED, prior, kind or kind_of(operator)),
        lr=lr,
        operator_lr=operator_lr,
        iterations=iterations,
        channels=channels,
        levels=levels,
        skip=skip,
        inputs=inputs,
        jitter=jitter,
        average=average,
        variation=variation,
    )
    return SelfDeblur(**parts_of("selfdeblur", prior, operator, chosen, sigma_y, restarts, combine, stop))
