"""Networks as they are given: functions of parameters, an image and a time, looked at when a prior is made of them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore.errors import InputError

TAKES = (
    "A network is a pure function (parameters, x, t) or (parameters, x, t, label, key) of x [b, h, w, c] and of a time t, an "
    "int32 [] or [b]; it gives [b, h, w, c], or 2 c channels where it predicts a variance, too."
)


@dataclass(frozen=True)
class Short:
    """A function of fewer than five arguments where five are given; static, as every network is."""

    network: Callable
    number: int

    @property
    def takes(self) -> str:
        return getattr(self.network, "takes", TAKES)

    def __call__(self, parameters: Any, x: Array, t: Any, label: Any = None, key: Any = None) -> Any:
        if label is not None and self.number < 4:
            raise InputError("The network knows no classes: it takes (parameters, x, t), and no label.")
        return self.network(*(parameters, x, t, label, key)[: self.number])


def of_five(network: Any) -> Callable:
    """The network, as a function of ``(parameters, x, t, label, key)``: one of three or four arguments is not given the
    others. InputError for one that can't be called so."""
    if not callable(network):
        raise InputError(f"A network must be a function, not {network!r}. {TAKES}")
    try:
        signature = inspect.signature(network)
    except (TypeError, ValueError):  # of something compiled, which doesn't say
        return network
    for number in (5, 4, 3):
        try:
            signature.bind(*[None] * number)
        except TypeError:
            continue
        return network if number == 5 else Short(network, number)
    raise InputError(f"The network takes {signature}. {getattr(network, 'takes', TAKES)}")


def check_network(network: Callable, parameters: Any, shape: tuple[int, int, int]) -> None:
    """InputError unless the network makes of a batch of images ``[2, *shape]`` what it has to; nothing is computed."""
    x, t = jax.ShapeDtypeStruct((2, *shape), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)
    takes = getattr(network, "takes", TAKES)
    try:
        try:
            output = jax.eval_shape(network, parameters, x, t, None, None)
        except Exception as error:  # perhaps one that needs a class
            try:
                output = jax.eval_shape(network, parameters, x, t, jax.ShapeDtypeStruct((2,), jnp.int32), None)
            except Exception:
                raise error from None
    except Exception as error:  # whatever a function raises
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200].rstrip('.')}"
        raise InputError(f"The network can't be evaluated on x [{_listed(x.shape)}] ({reason}). {takes}") from error
    sides, channels = getattr(output, "shape", ())[1:-1], getattr(output, "shape", (0,))[-1:]
    if sides != shape[:2] or channels not in ((shape[2],), (2 * shape[2],)):
        found = f"[{_listed(output.shape)}]" if hasattr(output, "shape") else f"a {type(output).__name__}"
        raise InputError(f"The network gives {found} for x [{_listed(x.shape)}]. {takes}")


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
