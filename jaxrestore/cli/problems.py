"""The files of one image, read: what was measured, through which operator, of an image of which size."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from jaxrestore.cli.console import say
from jaxrestore.cli.flags import OperatorFlags
from jaxrestore.cli.paths import Entry
from jaxrestore.cli.plan import Plan
from jaxrestore.cli.splitters import OneAnswer
from jaxrestore.cli.suited import factor_of, kernel_size, looked_for
from jaxrestore.errors import InputError
from jaxrestore.files.images import read_image
from jaxrestore.files.inputs import read_measurement
from jaxrestore.files.jpegs import jpeg_quality
from jaxrestore.files.metadata import Metadata, check_holds, read_metadata
from jaxrestore.files.opening import image_size
from jaxrestore.operators import Operator, default_kernel_size, frame_of, has_boundary, reach_of, with_boundary
from jaxrestore.operators.borders import NONE, Frame


class Problem(NamedTuple):
    """One image, read and ready."""

    entry: Entry
    operator: Operator
    y: np.ndarray
    reference: np.ndarray | None
    size: tuple[int, int]  # of the image that is looked for
    frame: Frame  # by which that image is larger than the restored one, on each side
    metadata: Metadata  # of its file, for the restored one's


def read_problem(plan: Plan, entry: Entry) -> Problem:
    """The files of one image; InputError names the one at fault."""
    shape, fit = plan.prior.shape, "exact" if plan.own_sizes else plan.fit
    flags, size = dataclasses.replace(plan.operator, mask=entry.mask), shape[:2]
    if plan.own_sizes:
        size = looked_for(entry.input, factor_of(plan.task, flags)) or size
        usual = kernel_size(size)
    elif fit == "tile":
        size, usual = tiled_size(entry, factor_of(plan.task, flags), shape), default_kernel_size(size)
    else:
        usual = None  # in proportion to the size
    if flags.kernel_size is None:
        flags = dataclasses.replace(flags, kernel_size=usual)
    if plan.reads_quality and fit in ("exact", "tile"):
        flags = dataclasses.replace(flags, quality=jpeg_quality(entry.input))
    photograph = None
    if entry.mask is not None and entry.input.suffix != ".npy":
        photograph = image_size(entry.input)
    settings = plan.method.operator_settings
    operator = plan.task.start(flags, size, settings, fit, photograph)
    beyond = plan.own_sizes and looks_beyond(plan, flags, operator)
    whole = with_boundary(operator, "reflect") if beyond else operator
    y = read_measurement(entry.input, whole, (*size, shape[2]), fit, entry.mask)
    frame = NONE
    if beyond:
        frame = reach_of(operator)
        wide = (size[0] + 2 * frame[0], size[1] + 2 * frame[1])
        operator = plan.task.start(dataclasses.replace(flags, boundary="valid"), wide, settings)
    metadata = Metadata()
    if entry.input.suffix != ".npy":
        metadata = read_metadata(entry.input, (y.shape[0], y.shape[1]), fit)
        check_holds(entry.files.image, metadata)
    if fit != "exact" and entry.input.suffix != ".npy" and not plan.run.quiet:
        say(f"{entry.input}: taken as {y.shape[0]} x {y.shape[1]} pixels (--fit {fit})")
    reference = None if entry.reference is None else read_image(entry.reference, size, fit)
    return Problem(entry, operator, y, reference, size, frame, metadata)


def looks_beyond(plan: Plan, flags: OperatorFlags, operator: Operator) -> bool:
    """Whether the image that is looked for reaches beyond the photograph's borders, as far as its blur does, so that all of
    the photograph is explained by it: where that is asked for, and by methods that solve for the image, which a wrong
    border would be carried into."""
    if not has_boundary(operator) or flags.boundary not in (None, "valid"):
        return False
    if flags.boundary is None and not isinstance(plan.method, OneAnswer):
        return False
    return frame_of(with_boundary(operator, "valid")) == reach_of(operator)  # nothing but a blur


def tiled_size(entry: Entry, factor: int, shape: tuple[int, int, int]) -> tuple[int, int]:
    """(height, width) of the image of any size that a file is of, reduced by `factor`: a multiple of that, and of 8, which
    patches of noise tile."""
    if entry.input.suffix == ".npy":
        raise InputError(f"{entry.input} is no image: --fit tile cuts photographs.")
    unit = math.lcm(8, factor)
    height, width = (side * factor for side in image_size(entry.input))
    if (height, width) == shape[:2]:
        return height, width
    height, width = (side // unit * unit for side in (height, width))
    if height < shape[0] or width < shape[1]:
        raise InputError(
            f"{entry.input} is of an image of {height} x {width} pixels, smaller than the prior's {shape[0]} x {shape[1]}: "
            "pass --fit resize."
        )
    return height, width
