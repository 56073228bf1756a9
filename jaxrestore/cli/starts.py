"""From flags to the operators that restorations start from: what is known stands, what is not is an unknown leaf.

Functions of a `Given`, of which tasks are made. InputError where a file is missing, or for flags that can't be meant.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxrestore import operators as ops
from jaxrestore.cli.flags import OperatorFlags
from jaxrestore.cli.truths import beam, chain, file_chain, hint_at_inversion, kernel_side, regions
from jaxrestore.errors import InputError
from jaxrestore.files.fitting import Fit
from jaxrestore.files.kernels import read_kernel
from jaxrestore.files.masks import read_mask
from jaxrestore.methods import Settings
from jaxrestore.operators import Kernel, Operator
from jaxrestore.operators.chains import Size


class Given(NamedTuple):
    """What is told of one image."""

    flags: OperatorFlags
    size: Size  # (height, width) of the image that is looked for
    settings: Settings  # of the method: how an unknown kernel is parametrised, how a blur treats the border
    fit: Fit = "exact"  # of files of another size
    photograph: Size | None = None  # the file's own, as which a mask is fitted; None: the mask's


Start = Callable[[Given], Operator]


def always(operator: Operator) -> Start:
    """The same whatever the flags."""
    return lambda given: operator


def masked(kind: str) -> Start:
    """The mask of a file, for the kind of problem."""

    def build(given: Given) -> Operator:
        if given.flags.mask is None:
            raise InputError("The task needs --mask FILE: an image whose white pixels are missing.")
        known = read_mask(given.flags.mask, given.size, given.fit, given.photograph)
        if kind == "inpaint":
            hint_at_inversion(given.flags.mask, known)
        return ops.Mask(known, kind)

    return build


def blurred(given: Given) -> Operator:
    """By the kernel of a file."""
    if given.flags.kernel is None:
        raise InputError("The task needs --kernel FILE: the blur kernel.")
    return ops.Blur(read_kernel(given.flags.kernel, given.size), given.settings.boundary)


def blindly_blurred(given: Given) -> Operator:
    """By a kernel that nobody knows."""
    return ops.Blur(_unknown_kernel(given, 0), given.settings.boundary)


def blindly_varying(given: Given) -> Operator:
    """By an unknown kernel for each region."""
    kernels = [_unknown_kernel(given, number) for number in range(regions(given.flags))]
    return ops.VaryingBlur(kernels, given.size, given.settings.boundary)


def _unknown_kernel(given: Given, number: int) -> Kernel:
    side = kernel_side(given.flags, given.size)
    if given.settings.kernel == "generator":
        return ops.GeneratedKernel(side, jax.random.fold_in(jax.random.key(given.flags.seed), number))
    return ops.GaussianKernel(side, unknown=True) if given.settings.kernel == "gaussian" else ops.SoftmaxKernel(side)


def reduced(default: int, *before: Start, grey: bool = False) -> Start:
    """What comes `before`, reduction by --scale or `default`, loss of colour."""

    def build(given: Given) -> Operator:
        return chain([part(given) for part in before], given.flags, given.size, default, grey)

    return build


def compressed(given: Given) -> Operator:
    """By a codec of --quality, or of an unknown one, which starts in the middle of what is visible."""
    quality = given.flags.quality
    return ops.Jpeg(30, unknown=True) if quality is None else ops.Jpeg(quality)


def rained_on(given: Given) -> Operator:
    """By streaks that nobody knows."""
    return ops.RainLayer(given.size, length=min(given.size) / 21)


def exposed(given: Given) -> Operator:
    """Gamma is known: what it darkens, exposure can brighten, and which it was can't be told."""
    return ops.Tone(gamma=given.flags.gamma, unknown=("stops", "log_balance"))


def projected(given: Given) -> Operator:
    """A sinogram."""
    return beam(given.flags)


def from_file(given: Given) -> Operator:
    """By the chain of --operator, with what it says is unknown."""
    return file_chain(given.flags, given.size)
