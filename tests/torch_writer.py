"""Torch files written by hand, as `torch.save` lays them out, and pickles put together opcode by opcode."""

import io
import pickle
import struct
import zipfile

import ml_dtypes
import numpy as np

KINDS = {np.dtype(np.float32): "FloatStorage", np.dtype(np.float16): "HalfStorage", np.dtype(np.int64): "LongStorage",
         np.dtype(np.float64): "DoubleStorage", np.dtype(ml_dtypes.bfloat16): "BFloat16Storage"}  # fmt: skip


class Name:
    """A global of a pickle, by its name alone."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self):  # what a pickle calls must look callable
        raise NotImplementedError


class Storage:
    def __init__(self, key, kind, size):
        self.pid = ("storage", Name("torch", kind), key, "cpu", size)


class Call:
    """function(*arguments), to be written as such."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


class _Pickler(pickle._Pickler):
    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Storage) else None

    def save_name(self, obj):
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())

    def save_call(self, obj):
        self.save_reduce(obj.function, obj.arguments, obj=obj)

    dispatch = {**pickle._Pickler.dispatch, Name: save_name, Call: save_call}  # noqa: RUF012


def pickled(content, protocol=2) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, protocol).dump(content)
    return stream.getvalue()


def described(arrays):
    """({name: a tensor's description}, {storage key: array})."""
    storages = {str(i): np.ascontiguousarray(array) for i, array in enumerate(arrays.values())}
    rebuild, content = Name("torch._utils", "_rebuild_tensor_v2"), {}
    for name, (key, array) in zip(arrays, storages.items(), strict=True):
        strides = tuple(step // array.itemsize for step in array.strides)
        storage = Storage(key, KINDS[array.dtype], array.size)
        content[name] = Call(rebuild, storage, 0, array.shape, strides, False, Call(Name("collections", "OrderedDict")))
    return content, storages


def write_zip(path, content, storages, data_pkl=None):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/data.pkl", pickled(content) if data_pkl is None else data_pkl)
        for key, array in storages.items():
            archive.writestr(f"tiny/data/{key}", array.tobytes())
    return path


def torch_file(path, arrays, wrap=lambda content: content):
    """A zip file with a dict of these arrays, wrapped in other containers."""
    content, storages = described(arrays)
    return write_zip(path, wrap(content), storages)


def legacy_file(path, arrays, wrap=lambda content: content):
    """The format before torch 1.6."""
    content, storages = described(arrays)
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    data = b"".join(map(pickled, parts)) + pickled(wrap(content)) + pickled(list(storages))
    for array in storages.values():
        data += struct.pack("<q", array.size) + array.tobytes()
    path.write_bytes(data)
    return path
