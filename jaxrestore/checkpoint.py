"""Checkpoints of a running search: written whole or not at all (Orbax), the last two kept, bound to the run they are of."""

import hashlib
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jaxrestore.errors import CheckpointError


def fingerprint(*parts: PyTree) -> str:
    """A digest of all arrays and static parts: two runs share it only if they compute the same."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(parts):
        is_key = jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
        array = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        digest.update(f"{array.shape}{array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
    structure = re.sub(r" at 0x[0-9a-f]+", "", str(jax.tree.structure(parts)))  # addresses differ between processes
    digest.update(structure.encode())
    return digest.hexdigest()


class Checkpoints:
    """The checkpoints of one run in one folder. A search is saved as its leaves, beside the history so far."""

    def __init__(self, folder: str | Path, run: str):
        from orbax.checkpoint import v1 as ocp  # heavy, and only needed here

        self.ocp, self.folder, self.run = ocp, Path(folder).absolute(), run
        keep: Any = ocp.training.preservation_policies.LatestN(2)
        self.checkpointer = ocp.training.Checkpointer(str(self.folder), preservation_policy=keep)

    def save(self, iteration: int, search: PyTree, history: np.ndarray) -> None:
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(search)]
        state = {"history": np.asarray(history), "search": {str(i): leaf for i, leaf in enumerate(leaves)}}
        self.checkpointer.save(iteration, state, custom_metadata={"run": self.run, "history": list(history.shape)})

    def load(self, search: PyTree) -> tuple[int, PyTree, np.ndarray] | None:
        """(iteration, search, history) of the last checkpoint, or None if there is none; `search` gives the structure."""
        latest = self.checkpointer.latest
        if latest is None:
            return None
        about: Any = self.checkpointer.metadata(latest).custom_metadata
        if not isinstance(about, dict) or about.get("run") != self.run:
            raise CheckpointError(
                f"{self.folder} holds checkpoints of another run (image, key, settings or version differ): "
                "give another folder, or remove it to start anew."
            )
        leaves, structure = jax.tree.flatten(search)
        wanted = {
            "history": np.empty(about["history"], np.float32),
            "search": {str(i): np.empty(leaf.shape, leaf.dtype) for i, leaf in enumerate(leaves)},
        }
        try:
            state: Any = self.checkpointer.load(latest, wanted)
        except Exception as error:  # whatever the storage raises
            raise CheckpointError(f"{self.folder} can't be read: {str(error).splitlines()[0][:200]}") from error
        restored = [jnp.asarray(state["search"][str(i)]) for i in range(len(leaves))]
        return latest.step, jax.tree.unflatten(structure, restored), state["history"]

    def close(self) -> None:
        self.checkpointer.close()
