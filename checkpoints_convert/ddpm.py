"""Names of the PyTorch DDPM U-Net ("simple" model of DDIM, SDEdit and DDNM) -> parameters of `jaxrestore.networks.DDPMUNet`.

The paths are the same, torch's `down.0.block.1.conv1.weight` being our `down/0/block/1/conv1/kernel`; what differs is the
name of the last part and the order of the axes.
"""

from collections.abc import Mapping

import numpy as np

from jaxrestore.networks import DDPMUNet


class ConversionError(ValueError):
    """Tensors that don't make up the network; the message lists them."""


def parameters_from(tensors: Mapping[str, np.ndarray], config: DDPMUNet) -> dict:
    """The nested parameter dict, float32. Every tensor is used exactly once, or ConversionError lists what is wrong."""
    shapes = dict(_paths(config.shapes()))
    wrong = [f"missing: {_torch_name(path)}" for path in shapes if _torch_name(path) not in tensors]
    known = {_torch_name(path) for path in shapes}
    wrong += [f"not part of this network: {name}" for name in tensors if name not in known]
    parameters: dict = {}
    for path, leaf in shapes.items():
        name = _torch_name(path)
        if name not in tensors:
            continue
        array = _transposed(np.asarray(tensors[name], np.float32), len(leaf.shape))
        if array.shape != leaf.shape:
            wrong.append(
                f"misshapen: {name} is {np.shape(tensors[name])}, and the network's {'/'.join(path)} is {leaf.shape}"
            )
        if not np.all(np.isfinite(array)):
            wrong.append(f"not finite: {name}")
        branch = parameters
        for part in path[:-1]:
            branch = branch.setdefault(part, {})
        branch[path[-1]] = array
    if wrong:
        raise ConversionError(
            f"These tensors don't make up the network ({len(wrong)} faults):\n  " + "\n  ".join(wrong)
        )
    return parameters


def _paths(tree: Mapping, prefix: tuple[str, ...] = ()):
    for name, branch in tree.items():
        if isinstance(branch, Mapping):
            yield from _paths(branch, (*prefix, name))
        else:
            yield (*prefix, name), branch


def _torch_name(path: tuple[str, ...]) -> str:
    return ".".join([*path[:-1], {"kernel": "weight", "scale": "weight"}.get(path[-1], path[-1])])


def _transposed(array: np.ndarray, ndim: int) -> np.ndarray:
    """Convolutions (out, in, row, column) -> (row, column, in, out); matrices and 1x1 convolutions to (in, out)."""
    if array.ndim == 4 and ndim == 2 and array.shape[2:] == (1, 1):
        array = array[:, :, 0, 0]
    return np.ascontiguousarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T)
