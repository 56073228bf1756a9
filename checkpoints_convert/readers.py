"""Read the tensors of a PyTorch file without PyTorch, executing nothing that the file contains.

A torch zip file is an uncompressed archive with one pickle, `data.pkl`, which describes nested containers of tensors, and
one raw file per storage. The unpickler here knows the few names that describe tensors and refuses every other.
"""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

# torch storage class -> element type
STORAGES = {
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ShortStorage": np.dtype(np.int16),
    "CharStorage": np.dtype(np.int8),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.bool_),
}


class ReadError(ValueError):
    """A file that can't be read; the message names the file and the reason."""


def read_torch(path: str | Path) -> Any:
    """The object in a torch zip file (`torch.save` since 1.6), tensors as NumPy arrays. ReadError if it is no such file."""
    path = Path(path)
    if not path.is_file():
        raise ReadError(f"There is no file {path}.")
    if not zipfile.is_zipfile(path):
        raise ReadError(f"{path} is not a torch zip file, or it is truncated: its archive directory is missing.")
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise ReadError(
                    f"{path} is a zip file but not one of torch: it holds {len(pickles)} data.pkl, not one."
                )
            root = pickles[0].removesuffix("data.pkl")
            if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
                raise ReadError(f"{path} was written on a big-endian machine, which is not supported.")
            with archive.open(pickles[0]) as stream:
                return _Unpickler(stream, lambda key: archive.read(f"{root}data/{key}")).load()
    except ReadError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise ReadError(f"{path} can't be read: {error}.") from error


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows tensors, parameters and ordered dicts, and no other name."""

    def __init__(self, stream, read_storage):
        super().__init__(stream)
        self.read_storage, self.storages = read_storage, {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
        }
        if (module, name) in known:
            return known[module, name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not part of a file of tensors")

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, dtype, key, _, size = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"it holds an object of unknown kind {kind!r}")
        if key not in self.storages:  # views of one storage share it
            data = np.frombuffer(self.read_storage(key), dtype)
            if data.size < size:
                raise pickle.UnpicklingError(f"storage {key} holds {data.size} numbers where {size} are announced")
            self.storages[key] = data
        return self.storages[key]


def _tensor(storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *_) -> np.ndarray:
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if 0 in shape:
        return np.empty(shape, storage.dtype)
    if offset < 0 or min(strides, default=0) < 0 or last >= storage.size:
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    steps = tuple(s * storage.itemsize for s in strides)
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)
