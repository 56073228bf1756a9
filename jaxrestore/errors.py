"""The errors that are about what a person gave: each message is a sentence that says what, where, and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Something given (a file, a setting) can't be used. The command line prints the message and exits with 2."""


class ImageError(InputError):
    """A file that is not a usable image."""


class PriorError(InputError):
    """A folder that is not a usable prior."""


class CheckpointError(InputError):
    """A checkpoint folder that belongs to another run, or can't be read."""


class Notice(UserWarning):
    """Something that a person should know of a run that goes on: a sentence, too. The command line prints it."""


class InputWarning(Notice):
    """Something given was taken, and may not be what was meant."""


class RangeWarning(InputWarning):
    """An array that looks as if it were of another range; of a file, which says its range, it means nothing."""


class OutOfMemory(RuntimeError):
    """The device's memory doesn't hold the batch; the message says what to change."""


def check_device() -> None:
    """InputError where JAX finds no device of a kind that it is asked for by JAX_PLATFORMS."""
    import jax

    try:
        jax.devices()
    except (AssertionError, RuntimeError) as error:  # the first where the machine has no such thing at all
        asked = jax.config.jax_platforms  # type: ignore[attr-defined]
        raise InputError(
            f"JAX finds no device of the kind that JAX_PLATFORMS asks for, {asked}: without that variable it takes the best "
            "that there is. (A GPU needs jax[cuda] to be installed.)"
        ) from error


@contextmanager
def memory_advice(sentence: str) -> Iterator[None]:
    """`OutOfMemory` with this sentence in the place of what the runtime says."""
    try:
        yield
    except RuntimeError as error:  # jax.errors.JaxRuntimeError is one
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise OutOfMemory(sentence) from error
