"""Several hosts for one job: each takes its share of the batches; `jax.distributed` tells who is who."""

from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxrestore.errors import InputError

PATIENCE = 30  # seconds without a sign of life after which a host is taken for dead; JAX then ends the others, too


class Hosts(NamedTuple):
    number: int = 1
    id: int = 0

    def share(self, items: list[Any]) -> list[Any]:
        """This host's: every so many-th, so that each list is the same whoever else is there."""
        return items[self.id :: self.number]

    def sum(self, value: int) -> int:
        """Over all hosts, when all have come so far."""
        if self.number == 1:
            return value
        from jax.experimental import multihost_utils

        return int(np.sum(multihost_utils.process_allgather(np.asarray(value))))


def join(coordinator: str | None, number: int | Literal["auto"] | None, host: int | None) -> Hosts:
    """Meet the other hosts, before anything else is done with JAX; with nothing given there is this one.

    "auto": as Slurm, a TPU pod or another cluster that JAX knows says. InputError for what can't be meant, or where JAX can't
    tell.
    """
    if number == "auto" and coordinator is None and host is None:
        given: dict[str, Any] = {}
    elif coordinator is None and number is None and host is None:
        return Hosts()
    elif coordinator is None or number is None or number == "auto" or host is None:
        raise InputError("Give --coordinator HOST:PORT, --hosts N and --host-id I on every host, or --hosts auto.")
    elif number < 1 or not 0 <= host < number:
        raise InputError(f"--host-id must lie between 0 and {number - 1}, the number of --hosts less one, not {host}.")
    elif ":" not in coordinator:
        raise InputError(f"--coordinator must be HOST:PORT of the first host, not {coordinator}.")
    else:
        given = {"coordinator_address": coordinator, "num_processes": number, "process_id": host}
    try:
        jax.distributed.initialize(**given, heartbeat_timeout_seconds=PATIENCE)
    except (ValueError, RuntimeError) as error:  # jax.errors.JaxRuntimeError is one
        raise InputError(f"The other hosts can't be met: {str(error)[:200]}") from error
    return Hosts(jax.process_count(), jax.process_index())
