"""Several devices for one search: the axis of images and restarts is divided among them, the method is copied to each.

JAX does the rest: arguments say where they lie (`NamedSharding`), and a program over them is divided likewise.
"""

from collections.abc import Sequence
from typing import Any, Literal

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from jaxrestore.errors import InputError

AXIS = "searches"
LARGE = 1 << 16  # numbers of an array that is worth dividing
Devices = Mesh | Sequence[jax.Device] | int | Literal["all"]


def mesh_of(devices: Devices) -> Mesh:
    """A mesh with the one axis "searches": of this process's devices all, the first so many, or those given; or the mesh
    given, of one axis. InputError where there are not as many."""
    if isinstance(devices, Mesh):
        if len(devices.axis_names) != 1:
            raise InputError(f"A mesh of one axis is needed, for the searches, not of {devices.axis_names}.")
        return Mesh(devices.devices, (AXIS,))
    local = jax.local_devices()
    if isinstance(devices, str) and devices != "all":
        raise InputError(f"devices must be a number, a list, a mesh or 'all', not {devices!r}.")
    if isinstance(devices, Sequence) and not devices:
        raise InputError("An empty list of devices restores nothing.")
    if isinstance(devices, int):
        if not 1 <= devices <= len(local):
            raise InputError(f"There are {len(local)} devices here, not {devices}.")
        devices = local[:devices]
    return Mesh(np.asarray(local if isinstance(devices, str) else list(devices)), (AXIS,))


def divided(tree: PyTree, mesh: Mesh) -> PyTree:
    """Arrays whose first axis counts searches, on the devices that run them; the mesh's size divides that axis."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec(AXIS)))


def everywhere(tree: PyTree, mesh: Mesh, divide: bool = False) -> PyTree:
    """Arrays that all searches read, copied to every device; with `divide` each holds a part of every large array (along
    its longest axis that the mesh divides) and fetches the others' when it needs them: for a prior that fits no device."""

    def where(leaf: Any) -> NamedSharding:
        axes = [i for i, side in enumerate(leaf.shape) if side % mesh.size == 0]
        if not divide or not axes or leaf.size < LARGE:
            return NamedSharding(mesh, PartitionSpec())
        longest = max(axes, key=lambda i: leaf.shape[i])
        return NamedSharding(mesh, PartitionSpec(*[AXIS if i == longest else None for i in range(leaf.ndim)]))

    return jax.tree.map(lambda leaf: jax.device_put(leaf, where(jax.numpy.asarray(leaf))), tree)
