"""The prior: a pre-trained diffusion model as a pytree, so that it is an argument of a program and never part of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._pytree import is_traced, register
from jaxrestore.diffusion.functions import check_network, of_five
from jaxrestore.diffusion.latents import LatentSpace
from jaxrestore.diffusion.schedule import Schedule, linear, noise_part
from jaxrestore.diffusion.statistics import NoiseStatistics
from jaxrestore.diffusion.tuned import Tuned
from jaxrestore.errors import InputError

Prediction = Literal["noise", "x0", "v", "velocity"]


@register
@dataclass(frozen=True)
class Prior:
    """A denoising network with its weights, noise schedule and native image shape, and what it knows of itself.

    Leaves: `parameters`, `schedule`, `statistics`. Static: `network`, any pure function ``(parameters, x, t) -> output`` over
    ``x [b, h, w, c]`` and ``t []`` or ``[b]`` in 0..T-1, output of the shape of x or with as many channels again for a
    variance (``(parameters, x, t, label, key)`` where it knows classes or draws dropout); `shape` ``(h, w, c)``; what the
    network predicts; a name; the settings that were tuned for it. InputError for a prediction type that is not known, and for
    a network that makes something else of a small batch, of which nothing is computed.

    >>> import jax, jaxrestore as jr
    >>> def network(parameters, x, t):  # of data that are all zero: everything in x_t is noise
    ...     return x / parameters["level"][t]
    >>> schedule = jr.schedule.linear()
    >>> prior = jr.Prior(network, {"level": (1 - schedule.alpha_bar) ** 0.5}, schedule, (8, 8, 3))
    >>> jr.unroll(prior, jax.random.normal(jax.random.key(0), prior.shape)).shape
    (8, 8, 3)
    """

    network: Callable = field(metadata={"static": True})
    parameters: Any
    schedule: Schedule
    shape: tuple[int, int, int] = field(metadata={"static": True})
    prediction: Prediction = field(default="noise", metadata={"static": True})
    name: str = field(default="unnamed", metadata={"static": True})
    statistics: NoiseStatistics | None = None  # of clean photographs' noise (`calibrate`)
    settings: Tuned = field(default=Tuned(), metadata={"static": True})  # by method and kind of problem (`tune`)
    latent: LatentSpace | None = None  # where the network looks at latents: `shape` is then that of the decoded image

    def __post_init__(self) -> None:
        if self.prediction not in get_args(Prediction):
            known = ", ".join(get_args(Prediction))
            raise InputError(
                f"A network that predicts {self.prediction!r} can't be used; known prediction types: {known}."
            )
        if len(self.shape) != 3 or any(side < 1 for side in self.shape):
            raise InputError(f"shape must be (height, width, channels), not {self.shape}.")
        object.__setattr__(self, "shape", tuple(self.shape))
        object.__setattr__(self, "network", of_five(self.network))
        ours = str(getattr(self.network, "__module__", "")).startswith("jaxrestore.")
        foreign = not ours or hasattr(self.network, "takes")  # around a function that was given
        if foreign and self.parameters is not None and not is_traced(self.parameters, self.schedule):
            check_network(self.network, self.parameters, self.noise_shape)

    def __repr__(self) -> str:
        leaves = [leaf for leaf in jax.tree.leaves(self.parameters) if hasattr(leaf, "size")]
        network = getattr(self.network, "__name__", type(self.network).__name__)
        said = [f"{self.name!r}", f"shape={self.shape}", f"{network} of {sum(leaf.size for leaf in leaves):,} numbers"]
        times = getattr(
            getattr(self.schedule, "alpha_bar", None), "shape", ()
        )  # none where JAX has put something in its place
        said += [f"prediction={self.prediction!r}", *(f"{length} times" for length in times)]
        said += ["latent"] * (self.latent is not None) + ["calibrated"] * (self.statistics is not None)
        if methods := self.settings.table:
            said.append(f"tuned for {', '.join(methods)}")
        return f"Prior({', '.join(said)})"

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """Of the noise that `unroll` takes: `shape`, or that of a latent."""
        return self.shape if self.latent is None else self.latent.shape

    def apply(
        self, x: Float[Array, "*b h w c"], t: Any, label: Array | None = None, key: Array | None = None
    ) -> tuple[Float[Array, "*b h w c"], Float[Array, "*b h w c"] | None]:
        """The predicted noise in x_t, and the network's raw variance output where it has one.

        `t` counts 0..T-1, ``[]`` or ``[b]``. Predictions of x0, of v = sqrt(ab) noise - sqrt(1 - ab) x0, or of a flow's
        velocity noise - x0 (whose network is shown x scaled to (1 - u) x0 + u noise) are converted.
        """
        if x.ndim == 3:  # GroupNorm would take the rows of an unbatched image for images
            noise, variance = self.apply(x[None], t, label, key)
            return noise[0], None if variance is None else variance[0]
        alpha_bar = self.schedule.alpha_bar[t].reshape(-1, 1, 1, 1)
        signal, spread = jnp.sqrt(alpha_bar), jnp.sqrt(1 - alpha_bar)
        shown = x / (signal + spread) if self.prediction == "velocity" else x
        output = jnp.asarray(self.network(self.parameters, shown, t, label, key), x.dtype)
        channels = x.shape[-1]
        if output.shape[-1] not in (channels, 2 * channels):
            raise InputError(f"The network gives {output.shape[-1]} channels for images of {channels}.")
        prediction, variance = output[..., :channels], output[..., channels:]
        if self.prediction == "v":
            prediction = signal * prediction + spread * x
        elif self.prediction == "velocity":
            prediction = shown + signal / (signal + spread) * prediction
        elif self.prediction == "x0":
            prediction = noise_part(x, prediction, alpha_bar)
        return prediction, variance if variance.size else None

    def check_reaches_noise(self) -> None:
        """InputError where the schedule ends before the image has drowned: such a prior generates nothing from pure noise.

        Not checked of traced levels, whose values nobody knows.
        """
        if is_traced(self.schedule.alpha_bar):
            return
        last = float(np.asarray(self.schedule.alpha_bar)[-1])  # by NumPy, which a jit around this doesn't trace
        if last < 0.06:
            return
        sigma = (1 / last - 1) ** 0.5
        raise InputError(
            f"The prior {self.name!r} knows noise up to a deviation of {sigma:.3g} alone, and can't generate from pure "
            "noise: take invert2restore(prior), whose depths lie within its range."
        )

    def predict_noise(
        self, x: Float[Array, "*b h w c"], t: Any, label: Array | None = None
    ) -> Float[Array, "*b h w c"]:
        """The noise part of `apply`."""
        return self.apply(x, t, label)[0]


def gaussian_prior(mean: Array, std: Array | float, schedule: Schedule | None = None) -> Prior:
    """The exact prior of Gaussian data x0 ~ N(mean, diag(std^2)): no network, everything about it known in closed form.

    `mean` is ``[h, w, c]``, `std` broadcasts against it. With E[noise | x_t] linear in x_t, the unclipped unroll is affine:
    the prior on which the library's own tests run, and the first to try your code on.

    >>> import jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> float(jr.unroll(prior, jnp.zeros(prior.shape), clip=False).max())  # the mean of the noise is that of the data
    0.0
    """
    schedule = schedule or linear()
    mean = jnp.asarray(mean, jnp.float32)
    parameters = {"mean": mean, "std": jnp.broadcast_to(jnp.float32(std), mean.shape), "alpha_bar": schedule.alpha_bar}
    height, width, channels = mean.shape
    return Prior(_gaussian_noise, parameters, schedule, (height, width, channels), name="gaussian")


def _gaussian_noise(parameters, x, t, label=None, key=None):
    """E[noise | x_t] = sqrt(1 - ab) (x_t - sqrt(ab) mean) / (ab std^2 + 1 - ab)."""
    alpha_bar = parameters["alpha_bar"][t].reshape(-1, 1, 1, 1)
    centred = x - jnp.sqrt(alpha_bar) * parameters["mean"][None]
    return jnp.sqrt(1 - alpha_bar) * centred / (alpha_bar * parameters["std"][None] ** 2 + 1 - alpha_bar)
