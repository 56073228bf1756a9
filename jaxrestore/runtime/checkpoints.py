"""Checkpoints of a running search: written whole or not at all (Orbax), the last two kept, bound to the run they are of."""

import contextlib
import errno
import hashlib
import logging
import os
import re
import shutil
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jaxrestore._orbax import reading_to_the_end
from jaxrestore.errors import CheckpointError

MARGIN = 1 << 20  # bytes that a checkpoint takes beside its arrays, and what its file system rounds up


def fingerprint(*parts: PyTree) -> str:
    """A digest of all arrays and static parts, functions with what they close over, and the versions of the packages."""
    digest = hashlib.sha256("".join(version(name) for name in ("jaxrestore", "jax", "optax")).encode())
    for leaf in jax.tree.leaves(parts):
        is_key = jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
        array = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        digest.update(f"{array.shape}{array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
    for node in _nodes(jax.tree.structure(parts)):
        digest.update(_described(node).encode())
    return digest.hexdigest()


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints in a folder and its sub-folders, once their result is written, and the folders that are empty
    then. Whatever else is there stays."""
    for about in sorted(folder.rglob("_CHECKPOINT_METADATA")):
        if about.parent.name.isdigit():  # a step's
            shutil.rmtree(about.parent, ignore_errors=True)
    inside = sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
    for path in [*inside, folder]:
        with contextlib.suppress(OSError):  # not empty
            path.rmdir()


def _nodes(structure: Any):
    """The type and static part of every node of a tree."""
    yield structure.node_data()
    for child in structure.children():
        yield from _nodes(child)


def _described(value: Any) -> str:
    """Text that is the same in every process: a function is its code and what it closes over, never its address."""
    if isinstance(value, tuple | list):
        return f"({','.join(map(_described, value))})"
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return f"{value.__qualname__}{value.__code__.co_code.hex()}{value.__code__.co_names}{_described(cells)}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


@contextlib.contextmanager
def _silent():
    """Orbax's threads log a failure with a traceback each, before it is raised."""
    logger = logging.getLogger("absl")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _reason(error: Exception) -> str:
    if "No space left" in str(error):
        return "no space is left on the device"
    return getattr(error, "strerror", None) or str(error).partition("\n")[0][:200]


class Checkpoints:
    """The checkpoints of one run in one folder. A search is saved as its leaves, beside the history so far.

    CheckpointError for a folder that can't be made.
    """

    def __init__(self, folder: str | Path, run: str):
        from orbax.checkpoint import v1 as ocp  # heavy, and only needed here

        self.ocp, self.folder, self.run = ocp, Path(folder).absolute(), run
        keep: Any = ocp.training.preservation_policies.LatestN(2)
        try:
            self.checkpointer = ocp.training.Checkpointer(str(self.folder), preservation_policy=keep)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{self.folder} can't be made: {_reason(error)}.") from error

    def save(self, iteration: int, search: PyTree, history: np.ndarray) -> None:
        """CheckpointError where it can't be written: the ones before are kept."""
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(search)]
        state = {"history": np.asarray(history), "search": {str(i): leaf for i, leaf in enumerate(leaves)}}
        about = {"run": self.run, "history": list(history.shape)}
        try:
            # before Orbax finds out: its threads, cut off in their writing, print for themselves
            if shutil.disk_usage(self.folder).free < MARGIN + sum(leaf.nbytes for leaf in leaves):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with _silent():
                self.checkpointer.save(iteration, state, custom_metadata=about)
        except Exception as error:  # whatever the storage raises
            raise CheckpointError(f"{self.folder} can't be written: {_reason(error)}.") from error

    def load(self, search: PyTree) -> tuple[int, PyTree, np.ndarray] | None:
        """(iteration, search, history) of the last checkpoint, or None if there is none; `search` gives the structure."""
        latest = self.checkpointer.latest
        if latest is None:
            return None
        leaves, structure = jax.tree.flatten(search)
        try:
            about: Any = self.checkpointer.metadata(latest).custom_metadata
            if not isinstance(about, dict) or about.get("run") != self.run:
                raise CheckpointError(
                    f"{self.folder} holds checkpoints of another run (image, key, settings or version differ): "
                    "give another folder, or remove it to start anew."
                )
            wanted = {
                "history": np.empty(about["history"], np.float32),
                "search": {str(i): np.empty(leaf.shape, leaf.dtype) for i, leaf in enumerate(leaves)},
            }
            with reading_to_the_end():
                state: Any = self.checkpointer.load(latest, wanted)
        except CheckpointError:
            raise
        except Exception as error:  # whatever the storage raises
            raise CheckpointError(f"{self.folder} can't be read: {str(error).splitlines()[0][:200]}") from error
        restored = [jnp.asarray(state["search"][str(i)]) for i in range(len(leaves))]
        return latest.step, jax.tree.unflatten(structure, restored), state["history"]

    def close(self) -> None:
        with contextlib.suppress(Exception), _silent():  # nothing is pending: it would repeat what `save` has raised
            self.checkpointer.close()
