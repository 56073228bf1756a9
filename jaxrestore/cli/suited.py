"""The prior where none is named, and the size of the image that is looked for where a prior takes any."""

import contextlib
import dataclasses
from collections.abc import Iterable
from pathlib import Path

from jaxrestore.cli.flags import OperatorFlags
from jaxrestore.cli.tasks import Task
from jaxrestore.diffusion.card import read_card
from jaxrestore.diffusion.places import embedded_priors
from jaxrestore.errors import InputError
from jaxrestore.files.arrays import read_array
from jaxrestore.files.opening import image_size
from jaxrestore.methods import Settings
from jaxrestore.operators import default_kernel_size, has_proximal, is_blind, measure_shape
from jaxrestore.operators.chains import Size

ANY_SIZE, DRAWING = "photos", "flowers64"
LARGEST_KERNEL = 25  # pixels, unless more is asked for: how far a camera shakes doesn't grow with the picture
PROBED = 64  # pixels: a side at which operators are made to see what they make of it
LARGEST_FACTOR = 64


def suited_prior(task: Task, method: str | None, flags: OperatorFlags, inputs: Iterable[Path]) -> str:
    """The embedded prior for images of a task: that of one size which all of them have, else the one of any size; where that
    one can't do the task, or serve the method that is named, the one that draws."""
    if task.at_any_size is None or (task.blind and method not in (None, task.at_any_size.name)):
        return DRAWING
    factor, sizes = factor_of(task, flags), set[Size | None]()
    for path in inputs:
        sizes.add(looked_for(path, factor))
        if len(sizes) > 1:
            return ANY_SIZE
    of_one_size = (name for name in embedded_priors() if name != ANY_SIZE)
    return next((name for name in of_one_size if sizes == {tuple(read_card(name)["shape"][:2])}), ANY_SIZE)


def with_operator(task: Task, flags: OperatorFlags) -> Task:
    """A task as it is for one operator: of those that a file describes, a denoiser takes what is known and linear."""
    if not task.says_kind:
        return task
    size = probed_size(task, flags)
    with contextlib.suppress(InputError):
        operator = task.start(flags, size, Settings())
        if not is_blind(operator) and has_proximal(operator, (*size, 3)):
            return task
    return dataclasses.replace(task, at_any_size=None, lacks=" by an operator that isn't known and linear")


def looked_for(path: Path, factor: int) -> Size | None:
    """(height, width) of the image of which a file is the measurement, reduced by `factor`; None of one that can't be read,
    which reading it will explain."""
    with contextlib.suppress(InputError):
        if path.suffix == ".npy":
            height, width = read_array(path).shape[:2]
        else:
            height, width = image_size(path)
        return height * factor, width * factor
    return None


def factor_of(task: Task, flags: OperatorFlags) -> int:
    """By how much a task's measurement is smaller than its image: of the operator that flags ask for, of which nothing is
    computed. 1 where pixels or a kernel are given, and where the operator can't be made, which making it will say.

    >>> from jaxrestore.cli.tasks import TASKS
    >>> factor_of(TASKS["super-resolution"], OperatorFlags(scale=3)), factor_of(TASKS["denoise"], OperatorFlags())
    (3, 1)
    """
    if flags.mask is not None or flags.kernel is not None:
        return 1
    small = dataclasses.replace(flags, kernel_size=3)
    for factor in range(1, LARGEST_FACTOR + 1) if flags.scale is None else (flags.scale, 1):
        side = PROBED * factor
        with contextlib.suppress(InputError):
            shape = measure_shape(task.start(small, (side, side), Settings()), (side, side, 3))
            if shape[:2] == (PROBED, PROBED):
                return factor
    return 1


def probed_size(task: Task, flags: OperatorFlags) -> Size:
    """A small (height, width) that a task's operator takes, if it takes any."""
    side = PROBED * factor_of(task, flags)
    return side, side


def kernel_size(size: Size) -> int:
    """Of an unknown kernel in a photograph of any size.

    >>> kernel_size((3000, 4000)), kernel_size((64, 100))
    (25, 11)
    """
    return min(LARGEST_KERNEL, default_kernel_size(size))
