"""How a method is run: settings as typed values, from a paper's table, a prior's file, or the keywords of a constructor."""

from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from jaxtyping import Array

from jaxrestore._ranges import Range, check_ranges, declared
from jaxrestore.diffusion.ddim import GradientMode
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import GridName
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Answer, Combine
from jaxrestore.operators.blur import Boundary

Loss = Literal["mean_square", "norm"]
Decay = Literal["constant", "cosine"]
Kernel = Literal["softmax", "gaussian", "generator"]
Preset = Literal["published", "prior", "general"]
Scalar = float | int | Array  # a number, or one that is traced
Rate = Annotated[Scalar, Range(0)]
Share = Annotated[float, Range(0, 1)]
Count = Annotated[int, Range(1)]
Every = Annotated[int, Range(0)]
S = TypeVar("S")


class Tried(NamedTuple):
    """Values of a number that are compared where a method is tuned: ``scale: Annotated[Scalar, Tried((0.1, 0.3))]``."""

    values: tuple[float | int, ...]


def tried_of(cls: type) -> dict[str, tuple[float | int, ...]]:
    """The values to compare of each field that declares some."""
    return {name: tried.values for name, tried in declared(cls, Tried).items()}


@dataclass(frozen=True)
class WalkSettings:
    """What the settings of all methods have in common that walk down a grid of times."""

    steps: Count = 100  # at most as many as the schedule has times

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def evaluations_a_step(self) -> int:
        """Network evaluations."""
        return 1


@dataclass(frozen=True)
class BlindWalkSettings(WalkSettings):
    """And of those that estimate what is unknown of the operator on the way."""

    # Of the operator that a command line makes for the problem; one that is given has its own.
    kernel: Kernel = "softmax"
    boundary: Boundary = "reflect"


@dataclass(frozen=True)
class Settings:
    """Of the methods that descend on a noise (SHRED, BIRD, DIIP). InputError for a number that can't be meant, unless it is
    traced."""

    noise_lr: Rate = 0.003
    iterations: Count = 200
    operator_lr: Rate = 2e-4  # of Adam on what is unknown of the operator
    # 0: Adam on noise and operator together; else a Gauss-Newton step every so many iterations
    operator_every: Every = 0
    operator_from: Share = 0.0  # the share of the iterations before the first of them
    damping: Rate = 0.0  # of those steps
    skip: Count = 100  # times of the schedule from one step of the unroll to the next (delta_t of the papers)
    grid: GridName = "leading"
    clip: bool = True  # every predicted x0 to [-1, 1]
    gradient: GradientMode = "frozen"
    loss: Loss = "mean_square"
    decay: Decay = "constant"  # of the rates, over the iterations
    answer: Answer = "last"
    restarts: Count = 1
    combine: Combine = "best"
    stop: tuple[dict[str, Any], ...] = ()  # rules by name (`stopping.rule_of`), any of which ends a search
    # Of the operator that a command line makes for the problem; one that is given has its own.
    kernel: Kernel = "softmax"  # how an unknown kernel is parametrised
    boundary: Boundary = "reflect"
    identity: bool = False  # fully blind: H = identity, whatever is known

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class JointSettings(Settings):
    """Of Invert2Restore with an operator: noise and operator found together, the noise kept where its density is high."""

    # weight of the Gaussian-density objective; None: it isn't computed
    density: Annotated[Scalar | None, Range(0)] = None
    density_decay: Decay = "constant"  # of that weight
    patch: Count = 8  # of that objective, and of the patches that are rectified
    rectify_every: Every = 0  # iterations between two rectifications of the noise's patches; 0: none
    spread: Rate = 0.0  # of the operator's unknown leaves at their start, from one key to another
    origin: Literal["fresh", "rectified"] = "fresh"  # the noise that a search starts from
    fresh: Annotated[Scalar, Range(0, 1)] = 0.0  # weight of fresh noise in a rectified one, for restarts to differ


def settings_of(
    method: str,
    table: dict[str, S],
    prior: Prior,
    kind: str,
    preset: str | None = None,
) -> S:
    """The settings of a method, of whose published ones `table` holds a line per kind of problem and one for "any".

    "published": that table's. "prior": those that lie beside the prior, InputError where there are none. "general": the
    table's line for any problem. None: the prior's where it has any for this method, else the published ones.
    """
    if preset is not None and preset not in get_args(Preset):
        raise InputError(f"Unknown preset {preset!r}; known: {', '.join(get_args(Preset))}.")
    values = prior.settings.find(method, kind)
    if preset == "prior" and values is None:
        raise InputError(
            f"The prior {prior.name!r} has no settings for {method}: `jaxrestore tune` finds them; until then there is "
            "the preset published."
        )
    if values is not None and preset in (None, "prior"):
        where = f"The settings of the prior {prior.name!r} for {method} on {kind}"
        return read_settings(type(table["any"]), values, where)
    return for_schedule(table["any"] if preset == "general" else table.get(kind, table["any"]), len(prior.schedule))


def for_schedule(settings: S, length: int) -> S:
    """Published settings, which count times of a schedule of 1000 steps, for one of another length: the same share of it."""
    share, changes = length / 1000, {}
    if isinstance(settings, Settings):
        changes["skip"] = max(1, round(settings.skip * share))
    elif hasattr(settings, "depth"):  # K = depth + 1 counts from 1
        changes["depth"] = max(1, round((settings.depth + 1) * share)) - 1  # type: ignore[attr-defined]
    return replace(settings, **changes) if share != 1 else settings  # type: ignore[type-var]


def changed(settings: S, **given: Any) -> S:
    """The settings with those in their place that are not None. Who asks for a rate of the operator's wants it used: its
    Gauss-Newton steps are off then, unless they are asked for, too."""
    known = {name: value for name, value in given.items() if value is not None}
    if "operator_lr" in known and "operator_every" not in known and hasattr(settings, "operator_every"):
        known["operator_every"] = 0
    return replace(settings, **known)  # type: ignore[type-var]


def read_settings(cls: type[S], values: dict[str, Any], where: str) -> S:
    """A settings dataclass of JSON values; InputError that begins with `where` for a name or a value that it doesn't have."""
    hints, known = get_type_hints(cls), {field.name for field in fields(cls)}  # type: ignore[arg-type]
    if foreign := values.keys() - known:
        raise InputError(f"{where} hold {', '.join(sorted(foreign))}; known: {', '.join(sorted(known))}.")
    read: dict[str, Any] = {}
    for name, value in values.items():
        hint = hints[name]
        if is_dataclass(hint) and isinstance(hint, type):
            if not isinstance(value, dict):
                raise InputError(f"{where}: {name} must hold values by name, not {value!r}.")
            read[name] = read_settings(hint, value, f"{where}, {name}:")
            continue
        value = tuple(value) if isinstance(value, list) else value
        if not _fits(value, hint):
            raise InputError(f"{where}: {name} can't be {value!r}.")
        read[name] = value
    try:
        return cls(**read)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except TypeError as error:
        raise InputError(f"{where} are incomplete: {error}.") from error


def values_of(settings: Any) -> dict[str, Any]:
    """The settings as JSON values, from which `read_settings` makes them again."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is of a type; whole numbers are numbers, truth values aren't, and no number is infinite."""
    if get_origin(hint) is Literal:
        return value in get_args(hint) and type(value) in map(type, get_args(hint))
    if get_origin(hint) is tuple:
        of = get_args(hint)[0]
        return isinstance(value, tuple) and all(
            isinstance(part, dict) if get_origin(of) is dict else _fits(part, of) for part in value
        )
    if isinstance(hint, UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if hint is NoneType:
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    if hint is Any:
        return True
    return type(value) is hint
