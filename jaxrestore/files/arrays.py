"""Numbers from files: NumPy's, MATLAB's, and tables in text. Nothing in them is executed."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from jaxrestore.errors import InputError
from jaxrestore.files.expanding import check_expanded

NAMED = re.compile(r"(.+\.(?:npz|mat)):([^:/\\]+)", re.IGNORECASE)  # FILE.npz:NAME
ARRAYS = (".npy", ".npz", ".mat", ".csv", ".txt")


def split_name(path: str | Path) -> tuple[Path, str]:
    """The file of FILE.npz:NAME and the name, "" if there is none.

    >>> split_name("eight.mat:k1")[1]
    'k1'
    """
    match = NAMED.fullmatch(str(path))
    return (Path(match[1]), match[2]) if match else (Path(path), "")


def read_array(path: str | Path) -> np.ndarray:
    """Real numbers as they stand in a file of `ARRAYS`, or in FILE.npz:NAME; InputError says why they can't be read."""
    file, name = split_name(path)
    if not file.is_file():
        raise InputError(f"There is no file {file}.")
    readers = {".mat": _matlab, ".csv": _table, ".txt": _table}
    try:
        check_expanded(file)
        arrays = readers.get(file.suffix.lower(), _numpy)(file)
    except InputError:
        raise
    except Exception as error:  # a damaged file may raise anything
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise InputError(f"{file} can't be read: {reason}.") from error
    if isinstance(arrays, np.ndarray):
        array = arrays
    elif name in arrays or (len(arrays) == 1 and not name):
        array = np.asarray(arrays[name or next(iter(arrays))])
    else:
        raise InputError(f"{file} holds several arrays: say which, {file}:NAME with NAME of {', '.join(arrays)}.")
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise InputError(f"{path} holds {array.dtype}, not real numbers.")
    return array


def _numpy(file: Path) -> "np.ndarray | dict[str, np.ndarray]":
    with file.open("rb") as stream:
        loaded: Any = np.load(stream, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {name: loaded[name] for name in loaded.files}


def _matlab(file: Path) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    try:
        with file.open("rb") as stream:
            loaded = loadmat(stream)
    except NotImplementedError as error:  # HDF5
        raise InputError(f"{file} is a MATLAB file of version 7.3: save it with -v7.") from error
    return {name: value for name, value in loaded.items() if not name.startswith("__")}


def _table(file: Path) -> np.ndarray:
    """Rows of numbers between commas, semicolons (then with decimal points or commas) or blanks; # begins a comment."""
    lines = [line.partition("#")[0].strip() for line in file.read_text("utf-8-sig").splitlines()]
    text = "\n".join(line for line in lines if line)
    if ";" in text:
        text = text.replace(",", ".").replace(";", " ")
    rows = [[float(cell) for cell in line.replace(",", " ").split()] for line in text.splitlines()]
    if not rows or len({len(row) for row in rows}) > 1:
        raise ValueError("its rows are not of one length")
    return np.asarray(rows)
