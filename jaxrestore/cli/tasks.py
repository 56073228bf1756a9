"""The tasks of the command line, one object each: how a task degrades an image, what a restoration knows and estimates.

A new task is one line in `TASKS`: a function (truths.py) from flags to the operator that degrades, and one (starts.py) to
the operator that a restoration starts from. See docs/tasks.md.
"""

from dataclasses import KW_ONLY, dataclass

from jaxrestore import operators as ops
from jaxrestore.cli import choices, starts, truths
from jaxrestore.cli.choices import CHOICES, Choice
from jaxrestore.cli.flags import OperatorFlags, as_flag
from jaxrestore.cli.splitters import BLIND_DPIR
from jaxrestore.cli.starts import Given, Start
from jaxrestore.cli.truths import Truth
from jaxrestore.errors import InputError
from jaxrestore.files.fitting import Fit
from jaxrestore.methods import Settings
from jaxrestore.operators import Operator, kind_of
from jaxrestore.operators.chains import Size

SPECIAL = ("mask", "kernel", "operator", "quality", "boundary")  # flags for some tasks alone


@dataclass(frozen=True)
class Task:
    """A kind of degradation, to make and to undo."""

    name: str
    _: KW_ONLY
    restore: Start  # for the operator that a restoration starts from; see `start`
    degrade: Truth  # for the operator that degrades
    known: str
    estimated: str = ""
    papers: str = ""  # whose task it is
    flags: str = ""  # that it takes, beside those of all
    method: Choice = choices.BIRD  # unless another is asked for
    # the same with a prior of any size, which is a denoiser and draws nothing; None: it can't do the task
    at_any_size: Choice | None = None
    says_kind: bool = False  # the kind of problem is what the operator says; else the task's name
    blind: bool = False  # nothing is told of the operator
    lacks: str = ""  # why a denoiser can't do it
    sparse: bool = False  # measurements in which noise can't be told from detail
    noise_level: float = 0.0  # grey levels, of `jaxrestore degrade` where none is given
    without_kernel: str | None = None  # the task that this is where no kernel is given

    def choice(self, name: str | None, any_size: bool = False) -> Choice:
        """The method of a name that serves this task, or the task's own, of a prior of one size or of any; InputError for one
        that doesn't serve it."""
        if name is None and any_size and self.at_any_size is None:
            raise InputError(
                f"A prior of any size is a denoiser, which can't do the task {self.name}{self.lacks}: leave --prior out, or "
                "name one that draws."
            )
        own = self.at_any_size if any_size and self.at_any_size else self.method
        suited = [choice for choice in CHOICES if choice.serves(self.name, self.blind)]
        for choice in suited:
            if choice.name == (name or own.name):
                return choice
        raise InputError(
            f"The task {self.name} is not one of --method {name}: give {' or '.join(one.name for one in suited)}."
        )

    def start(
        self,
        flags: OperatorFlags,
        size: Size,
        settings: Settings,
        fit: Fit = "exact",
        photograph: Size | None = None,
    ) -> Operator:
        """The operator that a restoration of images of `size` (height, width) starts from; InputError for flags that can't be
        meant. The method's `settings` say how an unknown kernel is parametrised, and how a blur treats the border where no
        --boundary does; a mask is fitted as its `photograph`, which is of that size."""
        if settings.identity:
            return ops.Identity()
        return bounded(self.restore(Given(flags, size, settings, fit, photograph)), flags)

    def kind_for(self, flags: OperatorFlags, size: Size) -> str:
        """The kind of problem, by which settings are chosen."""
        return kind_of(self.start(flags, size, Settings())) if self.says_kind else self.name

    def check(self, flags: OperatorFlags) -> None:
        """InputError for a file, a quality or a boundary that the task doesn't take."""
        for name in SPECIAL:
            if getattr(flags, name) is not None and as_flag(name) not in self.flags.split():
                raise InputError(f"The task {self.name} takes no {as_flag(name)}: see `jaxrestore tasks`.")


def bounded(operator: Operator, flags: OperatorFlags) -> Operator:
    """With the boundary of --boundary, if it is given; InputError where there is no blur."""
    if flags.boundary is None:
        return operator
    if not ops.has_boundary(operator):
        raise InputError(f"--boundary {flags.boundary} is for a blur, and there is none here: leave it out.")
    return ops.with_boundary(operator, flags.boundary)


def named_task(name: str | None, flags: OperatorFlags) -> Task:
    """The task of --task, or that of --operator; InputError unless it is one of the two, and in the table."""
    if (name is None) == (flags.operator is None) and name != "operator":
        raise InputError("Give --task NAME (see `jaxrestore tasks`) or --operator FILE.json: one of the two.")
    name = name or "operator"
    if name not in TASKS:
        raise InputError(f"There is no task {name!r}; there are: {', '.join(TASKS)} (see `jaxrestore tasks`).")
    return TASKS[name]


def restored_task(name: str | None, flags: OperatorFlags) -> Task:
    """As `named_task`, for a restoration: deblurring without a kernel is the blind task."""
    task = named_task(name, flags)
    return task if task.without_kernel is None or flags.kernel is not None else TASKS[task.without_kernel]


_REDUCED, _WIDER = "--scale --reduction", "--scale --reduction --kernel-size --boundary"
_TASKS = (
    Task(
        "denoise",
        restore=starts.always(ops.Identity()),
        degrade=truths.always(ops.Identity()),
        known="that the noise is white",
        papers="BIRD",
        flags="--noise-level",
        noise_level=30.0,
        at_any_size=choices.DPIR,
    ),
    Task(
        "inpaint",
        restore=starts.masked("inpaint"),
        degrade=truths.erased,
        known="which pixels are missing",
        papers="SHRED, BIRD",
        flags="--mask",
        at_any_size=choices.DPIR,
    ),
    Task(
        "compressed-sensing",
        restore=starts.masked("compressed-sensing"),
        degrade=truths.sensed,
        known="which pixels are missing",
        papers="SHRED",
        flags="--mask",
        sparse=True,
        at_any_size=choices.DPIR,
    ),
    Task(
        "super-resolution",
        restore=starts.reduced(8),
        degrade=truths.reduced(8),
        known="the reduction",
        papers="SHRED, BIRD",
        flags=_REDUCED,
        sparse=True,
        at_any_size=choices.DPIR,
    ),
    Task(
        "blind-super-resolution",
        restore=starts.reduced(4, starts.blindly_blurred),
        degrade=truths.reduced(4, truths.gaussian_blur),
        known="the reduction",
        estimated="a blur kernel before it",
        papers="BIRD",
        flags=_WIDER,
        sparse=True,
    ),
    Task(
        "deblur",
        restore=starts.blurred,
        degrade=truths.gaussian_blur,
        known="the kernel",
        flags="--kernel --boundary",
        without_kernel="blind-deblur",
        at_any_size=choices.DPIR,
    ),
    Task(
        "blind-deblur",
        restore=starts.blindly_blurred,
        degrade=truths.gaussian_blur,
        known="that one kernel blurred it",
        estimated="the kernel",
        papers="SHRED, BIRD",
        flags="--kernel-size --boundary",
        method=choices.BLIND_DIFFPIR,
        at_any_size=BLIND_DPIR,
    ),
    Task(
        "motion-deblur",
        restore=starts.blurred,
        degrade=truths.motion_blur,
        known="the kernel",
        flags="--kernel --boundary",
        without_kernel="blind-motion-deblur",
        at_any_size=choices.DPIR,
    ),
    Task(
        "blind-motion-deblur",
        restore=starts.blindly_blurred,
        degrade=truths.motion_blur,
        known="that one kernel blurred it",
        estimated="the kernel",
        papers="BIRD",
        flags="--kernel-size --boundary",
        at_any_size=BLIND_DPIR,
    ),
    Task(
        "nonuniform-deblur",
        restore=starts.blindly_varying,
        degrade=truths.varying_blur,
        known="that a few kernels blurred it",
        estimated="all of them",
        papers="BIRD",
        flags="--regions --kernel-size --boundary",
    ),
    Task(
        "jpeg",
        restore=starts.compressed,
        degrade=truths.compressed,
        known="that it was a JPEG",
        estimated="its quality",
        papers="Invert2Restore",
        flags="--quality",
        method=choices.JOINT,
        at_any_size=choices.DPIR,
    ),
    Task(
        "derain",
        restore=starts.rained_on,
        degrade=truths.rained_on,
        known="that streaks of light were added",
        estimated="all of them",
        papers="Invert2Restore",
        method=choices.JOINT,
    ),
    Task(
        "exposure",
        restore=starts.exposed,
        degrade=truths.exposed,
        known="the camera's gamma",
        estimated="exposure and white balance",
        flags="--gamma",
        method=choices.JOINT,
    ),
    Task(
        "operator",
        restore=starts.from_file,
        degrade=truths.from_file,
        known="what the file says",
        estimated="what it says is unknown",
        flags="--operator --boundary",
        method=choices.JOINT,
        says_kind=True,
        at_any_size=choices.DPIR,
    ),
    Task(
        "colorize",
        restore=starts.always(ops.Grayscale()),
        degrade=truths.always(ops.Grayscale()),
        known="that it is the luma",
        lacks=" (it knows no colours)",
    ),
    Task(
        "old-photo",
        restore=starts.reduced(2, starts.blindly_blurred, grey=True),
        degrade=truths.reduced(2, truths.gaussian_blur, grey=True),
        known="the reduction",
        estimated="a blur kernel before it",  # ours: the paper's old photographs have none
        flags=_WIDER,
        sparse=True,
    ),
    Task(
        "blind",
        restore=starts.always(ops.Identity()),
        degrade=truths.always(ops.Identity()),
        known="nothing",
        papers="Invert2Restore, DIIP, Gen2Res, DreamClean",
        method=choices.ROUNDS,
        blind=True,
        at_any_size=choices.DPIR,  # white noise is all that a denoiser knows to be none of the picture
    ),
    Task(
        "tomography",
        restore=starts.projected,
        degrade=truths.projected,
        known="the angles",
        papers="BIRD",
        flags="--views",
        sparse=True,
    ),
)
TASKS = {task.name: task for task in _TASKS}
