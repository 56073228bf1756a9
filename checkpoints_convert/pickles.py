"""An interpreter for the pickles of torch files: containers, numbers, text, tensors, and nothing else.

Python's own unpickler calls what a file names, and can't be kept from filling the memory. This one knows the opcodes that
torch's writers use (protocols 2 to 5) and the globals that tensors need; it calls nothing that a file names. Each opcode
costs time and memory in proportion to the bytes it takes.
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from checkpoints_convert.tensors import Region, Tensor, span
from jaxrestore.errors import InputError

LONGEST = 2**23  # bytes of a pickle; that of a large network with its optimiser has less than a million
LONGEST_NAME = 300

STORAGES = {  # torch storage class -> element type
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
GLOBALS = {
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    *(("torch", name) for name in STORAGES),
}


class PickleError(InputError):
    """What a pickle holds that no file of tensors does."""


class Named(NamedTuple):
    """A global: a name, never the thing."""

    module: str
    name: str


_MARK = object()


class Interpreter:
    """Runs pickles of one file. `storage` turns the arguments of a persistent id into a Region."""

    def __init__(self, storage: Callable[..., Region], largest: int):
        self.storage, self.left = storage, largest  # bytes of tensors that may still be announced
        self.copied = 0

    def run(self, data: bytes, start: int = 0) -> tuple[Any, int]:
        """The object of the pickle that begins at `start`, and where the pickle ends. PickleError for anything foreign."""
        self.data, self.at, self.stack, self.memo = data, start, [], {}
        while True:
            opcode = self.take(1)
            if opcode == b".":
                return self.pop(), self.at
            if opcode not in _OPCODES:
                raise PickleError(
                    f"it has the opcode {opcode!r} at byte {self.at - 1}, which files of tensors don't use"
                )
            _OPCODES[opcode](self)
            if self.at - start > LONGEST:
                raise PickleError(f"its description of the tensors is longer than {LONGEST} bytes")

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise PickleError("it ends in the middle")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> int:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + 256)
        if end < 0:
            raise PickleError("a name in it doesn't end")
        return self.take(end + 1 - self.at)[:-1].decode()

    def text(self, form: str) -> None:
        self.push(self.take(self.number(form)).decode())

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise PickleError("its stack runs empty")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise PickleError(f"it fills what is no {kind.__name__}")
        return self.stack[-1]

    def since_mark(self) -> list:
        values = []
        while self.stack and self.stack[-1] is not _MARK:
            values.append(self.stack.pop())
        if not self.stack:
            raise PickleError("its stack runs empty")
        self.stack.pop()
        return values[::-1]

    def pops(self, count: int) -> tuple:
        return tuple(self.pop() for _ in range(count))[::-1]

    def long(self, form: str) -> None:
        count = self.number(form)
        if not 0 <= count <= 16:
            raise PickleError(f"it has an integer of {count} bytes")
        self.push(int.from_bytes(self.take(count), "little", signed=True))

    def set_items(self, values: list | tuple) -> None:
        into = self.top(dict)
        if len(values) % 2:
            raise PickleError("a key in it has no value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if type(key) not in (str, int) or (type(key) is int and abs(key) >= 2**60):  # larger ones can share a hash
                raise PickleError(f"it has a key of type {type(key).__name__}, or too large a one")
            if type(key) is str and len(key) > LONGEST_NAME:
                raise PickleError(f"it has a name of {len(key)} characters")
            if key in into:
                raise PickleError(f"it has the name {key!r} twice")
            into[key] = value

    def remember(self, key: int) -> None:
        if not self.stack:
            raise PickleError("its stack runs empty")
        self.memo[key] = self.stack[-1]

    def recall(self, key: int) -> None:
        if key not in self.memo:
            raise PickleError("it recalls what it never had")
        self.push(self.memo[key])

    def find(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:  # before anything looks into them
            raise PickleError("it asks for something that is no name")
        if (module, name) not in GLOBALS:
            raise PickleError(
                f"it asks for {module}.{name}, which is not part of a file of tensors: save its state_dict alone"[:200]
            )
        self.push(Named(module, name))

    def persistent(self) -> None:
        pid = self.pop()
        if type(pid) is not tuple or not 5 <= len(pid) <= 6 or pid[0] != "storage" or (len(pid) == 6 and pid[5]):
            raise PickleError("it refers to something outside that is no storage")
        _, kind, key, _, size = pid[:5]
        if type(kind) is not Named or kind.name not in STORAGES or type(key) is not str or type(size) is not int:
            raise PickleError("it refers to something outside that is no storage")
        self.push(self.storage(key, STORAGES[kind.name], size))

    def reduce(self) -> None:
        function, arguments = self.pops(2)
        if type(function) is not Named or type(arguments) is not tuple:
            raise PickleError("it calls something that is no name of a tensor's part")
        if function.name == "OrderedDict" and len(arguments) <= 1:
            self.push({})
            pairs = arguments[0] if arguments else []
            if type(pairs) is not list or any(type(pair) not in (list, tuple) or len(pair) != 2 for pair in pairs):
                raise PickleError("it fills a dict with what are no pairs")
            self.copied += len(pairs)  # a list may be recalled and copied again and again
            if self.copied > len(self.data):
                raise PickleError("it copies more than it holds")
            self.set_items([value for pair in pairs for value in pair])
        elif function.name.startswith("_rebuild_tensor") and 4 <= len(arguments) <= 7 and not any(arguments[6:]):
            self.push(self.tensor(*arguments[:4]))
        elif function.name == "_rebuild_parameter" and arguments and type(arguments[0]) is Tensor:
            self.push(arguments[0])
        else:
            raise PickleError(f"it calls {function.module}.{function.name} as no writer of tensors does")

    def tensor(self, region: Any, first: Any, shape: Any, strides: Any) -> Tensor:
        if type(region) is not Region or type(shape) is not tuple or type(strides) is not tuple:
            raise PickleError("it makes a tensor of what is no storage")
        try:
            made = region.view(first, shape, strides)
        except ValueError as error:
            raise PickleError(str(error)) from error
        self.left -= span(shape, strides) * region.dtype.itemsize
        if self.left < 0:
            raise PickleError("its tensors are many times larger than the file")
        return made

    def build(self) -> None:
        """The state of an OrderedDict (torch's `_metadata`): not needed, and dropped."""
        self.pop()
        self.top(dict)

    def append(self, values: list | tuple) -> None:
        self.top(list).extend(values)


_OPCODES: dict[bytes, Callable[[Interpreter], Any]] = {
    b"\x80": lambda i: i.take(1),  # PROTO
    b"\x95": lambda i: i.take(8),  # FRAME
    b"(": lambda i: i.push(_MARK),
    b"0": lambda i: i.pop(),
    b"}": lambda i: i.push({}),
    b"]": lambda i: i.push([]),
    b")": lambda i: i.push(()),
    b"N": lambda i: i.push(None),
    b"\x88": lambda i: i.push(True),
    b"\x89": lambda i: i.push(False),
    b"K": lambda i: i.push(i.number("<B")),
    b"M": lambda i: i.push(i.number("<H")),
    b"J": lambda i: i.push(i.number("<i")),
    b"G": lambda i: i.push(i.number(">d")),
    b"\x8a": lambda i: i.long("<B"),
    b"\x8b": lambda i: i.long("<i"),
    b"X": lambda i: i.text("<I"),
    b"\x8c": lambda i: i.text("<B"),
    b"\x8d": lambda i: i.text("<Q"),
    b"U": lambda i: i.text("<B"),  # a Python 2 string
    b"T": lambda i: i.text("<I"),
    b"t": lambda i: i.push(tuple(i.since_mark())),
    b"l": lambda i: i.push(i.since_mark()),
    b"\x85": lambda i: i.push(i.pops(1)),
    b"\x86": lambda i: i.push(i.pops(2)),
    b"\x87": lambda i: i.push(i.pops(3)),
    b"s": lambda i: i.set_items(i.pops(2)),
    b"u": lambda i: i.set_items(i.since_mark()),
    b"a": lambda i: i.append(i.pops(1)),
    b"e": lambda i: i.append(i.since_mark()),
    b"q": lambda i: i.remember(i.number("<B")),
    b"r": lambda i: i.remember(i.number("<I")),
    b"\x94": lambda i: i.remember(len(i.memo)),
    b"h": lambda i: i.recall(i.number("<B")),
    b"j": lambda i: i.recall(i.number("<I")),
    b"c": lambda i: i.find(i.line(), i.line()),
    b"\x93": lambda i: i.find(*i.pops(2)),
    b"Q": lambda i: i.persistent(),
    b"R": lambda i: i.reduce(),
    b"b": lambda i: i.build(),
}
