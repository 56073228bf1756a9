"""Files that would do harm: the converter's own error, nothing executed, time and memory in proportion to the file."""

import contextlib
import functools
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_writer import Call, Name, Storage, described, legacy_file, pickled, torch_file, write_zip

from checkpoints_convert import ReadError, read, read_torch
from checkpoints_convert.pickles import Interpreter
from checkpoints_convert.tensors import Tensor

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, np.float32)}
REBUILD = Name("torch._utils", "_rebuild_tensor_v2")


def refused(path):
    with pytest.raises(ReadError) as error:
        read(path)
    assert path.name in str(error.value)
    assert len(str(error.value)) < 600
    return str(error.value)


@pytest.fixture
def executed(tmp_path):
    """The path of a file that only an executed pickle would make."""
    path = tmp_path / "executed"
    yield path
    assert not path.exists()


class Harm:
    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def harmful(target):
    touch = f"open({str(target)!r}, 'w')"
    return {
        "os.system": Harm(os.system, f"touch {target}"),
        "eval": Harm(eval, touch),
        "functools.partial": Harm(functools.partial, eval, touch),
        "nested loads": Harm(pickle.loads, pickle.dumps(Harm(eval, touch))),
        "getattr": Harm(getattr, os, "system"),
    }


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", harmful("x"))
def test_nothing_is_executed(name, protocol, executed, tmp_path):
    try:
        data = pickle.dumps({"a": harmful(executed)[name]}, protocol)
    except TypeError:  # a module can't be pickled
        data = pickle.dumps({"a": getattr}, protocol)
    words = refused(write_zip(tmp_path / "harm.pt", None, {}, data))
    assert "asks for" in words or "opcode" in words
    (tmp_path / "harm_legacy.pt").write_bytes(pickle.dumps(Harm(eval, "1"), 2))
    refused(tmp_path / "harm_legacy.pt")


def test_only_tensors_parts_are_called(tmp_path):
    storage = Storage("0", "FloatStorage", 6)
    for content in (
        Call(Name("torch", "FloatStorage"), 10**9),  # a storage class is no function
        Call(Name("collections", "OrderedDict"), [1, 2]),
        Call(Name("torch._utils", "_rebuild_parameter"), "a"),
        Call(REBUILD, storage),
        Call(REBUILD, storage, 0, (6,), (1,), False, None, {"neg": True}),
        Call(REBUILD, "0", 0, (1,), (1,), False, None),
        Call(Name("torch", "load"), "x"),
        Call(Name("torch.storage", "_load_from_bytes"), b"x"),
        Storage("missing", "FloatStorage", 6),
    ):
        refused(write_zip(tmp_path / "call.pt", {"a": content}, {"0": ARRAYS["a"]}))


@pytest.mark.parametrize(
    ("first", "shape", "strides", "size"),
    [
        (0, (2, 3), (3, 2), 6),  # beyond the storage
        (5, (2,), (1,), 6),
        (0, (2,), (-1,), 6),
        (-1, (2,), (1,), 6),
        (0, (-1,), (1,), 6),
        (0, (2, 3), (3,), 6),
        (0, (2**40,), (0,), 6),  # far more elements than numbers
        (0, (2**62, 2**62), (2**62, 1), 6),
        (0, (6,), (1,), 2**62),  # a storage larger than its entry
        (0, (6,), (1,), -6),
        (0.5, (6,), (1,), 6),
        (0, ("6",), (1,), 6),
        (0, [6], (1,), 6),
        (True, (6,), (1,), 6),
        (0, (1,) * 40, (1,) * 40, 6),
    ],
)
def test_tensors_stay_within_their_storage(first, shape, strides, size, tmp_path):
    content = Call(REBUILD, Storage("0", "FloatStorage", size), first, shape, strides, False, None)
    refused(write_zip(tmp_path / "strides.pt", {"a": content}, {"0": ARRAYS["a"].ravel()}))


def test_many_views_of_one_storage_do_not_make_a_large_network(tmp_path):
    numbers = np.zeros(10_000, np.float32)
    view = Call(REBUILD, Storage("0", "FloatStorage", 10_000), 0, (10_000,), (1,), False, None)
    assert read(write_zip(tmp_path / "one.pt", {"0": view}, {"0": numbers}))["0"].shape == (10_000,)
    many = {str(i): Call(view.function, *view.arguments) for i in range(20)}
    assert "larger than the file" in refused(write_zip(tmp_path / "many.pt", many, {"0": numbers}))


def bombs():
    mark, stop = b"(", b"."
    doubling = b"\x80\x02]q\x00" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(200)) + stop
    tuples = b"\x80\x02)q\x00" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(200))
    many = b"\x80\x02](" + b"".join(b"J%bN\x86" % struct.pack("<i", i) for i in range(2000)) + b"e\x85q\x00"
    copies = many + b"ccollections\nOrderedDict\nq\x01" + b"h\x01h\x00R" * 3000 + stop
    hashes = b"}(" + b"".join(b"\x8a\x10" + (i * (2**61 - 1)).to_bytes(16, "little") + b"N" for i in range(20_000))
    return {
        "a list copied again and again": copies,
        "keys that share a hash": hashes + b"u" + stop,
        "a name of a megabyte": b"}X\x40\x42\x0f\x00" + b"a" * 1_000_000 + b"Ns" + stop,
        "many numbers": b"](" + b"N" * 200_000 + b"e" + stop,
        "huge memo index": b"\x80\x02]r\xff\xff\xff\xff" + stop,
        "a list of itself": b"\x80\x02]q\x00h\x00a" + stop,
        "doubling lists": doubling,
        "doubling tuples as a key": tuples + b"}h\xc8K\x01s" + stop,
        "doubling tuples as a global": tuples + b"h\xc8\x93" + stop,
        "doubling tuples as a storage": tuples + b"Q" + stop,
        "a text of 4 GiB": b"\x80\x02X\xff\xff\xff\xffabc" + stop,
        "a text of 2**64 bytes": b"\x80\x02\x8d" + b"\xff" * 8 + b"abc" + stop,
        "an integer of 2 GiB": b"\x80\x02\x8b\xff\xff\xff\x7f" + stop,
        "bytes": b"\x80\x03B\xff\xff\xff\xff" + stop,
        "a bytearray": b"\x80\x05\x96" + b"\xff" * 8 + stop,
        "only marks": mark * 100_000,
        "only lists": b"]" * 100_000,
        "a deep nest": b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + stop,
        "empty": b"",
        "pops": b"\x80\x02000" + stop,
        "put on nothing": b"\x80\x02q\x00" + stop,
        "append to nothing": b"\x80\x02Na" + stop,
        "an object": b"\x80\x02cos\nsystem\n)\x81" + stop,
        "an instance": b"(ios\nsystem\n.",
        "an extension": b"\x80\x02\x82\x01" + stop,
        "a name without end": b"\x80\x02c" + b"a" * 100_000,
        "an odd dict": b"\x80\x02}(K\x01u" + stop,
        "a name twice": b"\x80\x02}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00aK\x02u" + stop,
    }


@pytest.mark.parametrize("name", bombs())
def test_bombs_cost_no_more_than_their_length(name, tmp_path):
    path = write_zip(tmp_path / "bomb.pt", None, {}, bombs()[name])
    older = tmp_path / "bomb_legacy.pt"
    older.write_bytes(b"".join(map(pickled, [0x1950A86A20F9469CFC6C, 1001, {}])) + bombs()[name])
    for file in (path, older):
        tracemalloc.start()
        with contextlib.suppress(ReadError):  # a few are harmless here: they are found to hold no network later
            read(file)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**20 + 110 * file.stat().st_size


def test_harmless_bombs_hold_no_network(tmp_path):
    from checkpoints_convert import ConversionError, convert

    for name in ("a list of itself", "doubling lists", "a deep nest", "many numbers"):
        with pytest.raises((ConversionError, ReadError)):
            convert(write_zip(tmp_path / "bomb.pt", None, {}, bombs()[name]))


def test_zip_entries_are_what_they_say(tmp_path):
    whole = torch_file(tmp_path / "whole.pt", ARRAYS)
    good = whole.read_bytes()

    def changed(name, old, new, count=1):
        assert old in good
        (tmp_path / name).write_bytes(good.replace(old, new, count))
        return tmp_path / name

    refused(changed("name.pt", b"tiny/data/0", b"../../data0"))
    numbers = ARRAYS["b"].tobytes()
    refused(changed("crc.pt", numbers, numbers[:-1] + b"\x41"))
    with zipfile.ZipFile(whole) as archive:
        entry = archive.getinfo("tiny/data/0")
    sizes = struct.pack("<II", entry.compress_size, entry.file_size)
    directory = good.rindex(b"PK\x01\x02", 0, good.rindex(b"tiny/data/0"))
    for wrong in (struct.pack("<II", 2**31, 2**31), struct.pack("<II", 24, 2**31), struct.pack("<II", 8, 8)):
        at = good.index(sizes, directory)
        (tmp_path / "size.pt").write_bytes(good[:at] + wrong + good[at + 8 :])
        refused(tmp_path / "size.pt")


def test_zip_entries_are_uncompressed_unique_and_inside(tmp_path):
    content, storages = described(ARRAYS)

    def written(name, entries, method=zipfile.ZIP_STORED):
        with zipfile.ZipFile(tmp_path / name, "w", method) as archive:
            archive.writestr("tiny/data.pkl", pickled(content))
            for key, data in entries:
                archive.writestr(key, data)
        return refused(tmp_path / name)

    data = [(f"tiny/data/{key}", array.tobytes()) for key, array in storages.items()]
    assert "compressed" in written("deflated.pt", [("tiny/data/0", bytes(10**6))], zipfile.ZIP_DEFLATED)
    with pytest.warns(UserWarning, match="Duplicate name"):
        assert "twice" in written("twice.pt", [*data, data[0]])
    with zipfile.ZipFile(tmp_path / "time.pt", "w") as archive:  # torch names the folder after the file
        archive.writestr("model_12:30/data.pkl", pickled({"a": 1}))
    assert read(tmp_path / "time.pt") == {"a": 1}
    for name in ("/etc/passwd", "tiny/../../x", "..\\x", "C:/x"):
        assert "the path" in written("path.pt", [*data, (name, b"x")])
    assert "missing" in written("missing.pt", data[:1])
    assert "2 data.pkl" in written("two.pt", [*data, ("other/data.pkl", b"x")])
    assert "big-endian" in written("endian.pt", [*data, ("tiny/byteorder", b"big")])


@pytest.mark.parametrize("write", [torch_file, legacy_file])
def test_every_truncation_is_refused(write, tmp_path):
    good = write(tmp_path / "whole.pt", ARRAYS).read_bytes()
    np.testing.assert_array_equal(read(tmp_path / "whole.pt")["a"].read(), ARRAYS["a"])
    for percent in range(100):
        (tmp_path / "cut.pt").write_bytes(good[: len(good) * percent // 100])
        refused(tmp_path / "cut.pt")
    (tmp_path / "long.pt").write_bytes(good + b"more")
    if write is legacy_file:
        assert "follows" in refused(tmp_path / "long.pt")


def test_storages_of_the_older_format_are_as_announced(tmp_path):
    good = legacy_file(tmp_path / "whole.pt", ARRAYS).read_bytes()
    for size in (7, -6, 2**62):
        at = good.index(struct.pack("<q", 6) + ARRAYS["a"].tobytes())
        (tmp_path / "size.pt").write_bytes(good[:at] + struct.pack("<q", size) + good[at + 8 :])
        refused(tmp_path / "size.pt")


def safetensors(header: bytes, data=bytes(24), length=None):
    return struct.pack("<Q", len(header) if length is None else length) + header + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        safetensors(b"{"),
        safetensors(b"[]"),
        safetensors(b"{}", length=2**62),
        safetensors(b'{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,1000]}}'),
        safetensors(b'{"a":{"dtype":"F32","shape":[7],"data_offsets":[0,24]}}'),
        safetensors(b'{"a":{"dtype":"F32","shape":[-6],"data_offsets":[0,24]}}'),
        safetensors(b'{"a":{"dtype":"F32","shape":[6],"data_offsets":[24,0]}}'),
        safetensors(b'{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,24]}}'),
        safetensors(b'{"a":{"dtype":"Q7","shape":[6],"data_offsets":[0,24]}}'),
        safetensors(b'{"a":{"dtype":"C64","shape":[3],"data_offsets":[0,24]}}'),
        safetensors(b'{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}', bytes(12)),
        safetensors(
            b'{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"a":{"dtype":"F64","shape":[3],"data_offsets":[0,24]}}'
        ),
        safetensors(b'{"%b":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}' % (b"a" * 1000)),
        safetensors(b"[" * 100_000),
        safetensors(
            b'{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}'
        ),
    ],
)
def test_bad_safetensors(data, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(data)
    refused(tmp_path / "bad.safetensors")


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_random_pickles_raise_nothing_else(noise, keep):
    good = pickled(described(ARRAYS)[0])
    with contextlib.suppress(ValueError, struct.error):
        Interpreter(lambda *_: None, 10**6).run(good[:keep] + noise)


@settings(max_examples=800, deadline=None)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8), st.booleans())
def test_random_damage_raises_nothing_else(tmp_path_factory, at, noise, legacy):
    folder = tmp_path_factory.getbasetemp()
    name = folder / f"{'legacy' if legacy else 'zip'}_whole.pt"
    if not name.exists():
        (legacy_file if legacy else torch_file)(name, ARRAYS)
    data = bytearray(name.read_bytes())
    at %= len(data)
    data[at : at + len(noise)] = noise
    (folder / "damaged.pt").write_bytes(data)
    with contextlib.suppress(ReadError):
        content = read_torch(folder / "damaged.pt")  # damage may leave another tree than the dict of tensors that was
        for tensor in content.values() if isinstance(content, dict) else ():
            if isinstance(tensor, Tensor):
                assert zlib.crc32(np.ascontiguousarray(tensor.read()).tobytes()) >= 0


@settings(max_examples=700, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["random.pt", "random.safetensors"]))
def test_random_files_are_refused(tmp_path_factory, data, name):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    refused(path)
