"""What every command has in common: its help, the ranges of its numbers, and what it says where JAX can't start."""

import re
from dataclasses import fields
from typing import get_type_hints

import jax
import pytest

import jaxrestore as jr
from jaxrestore._ranges import ranges_of
from jaxrestore.cli.commands import COMMANDS
from jaxrestore.cli.flags import as_flag


def numbers(command):
    """The flags that are numbers, or may be."""
    hints = get_type_hints(command)
    return {field.name for field in fields(command) if re.search(r"\b(int|float)\b", str(hints[field.name]))}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_number_has_a_range_that_its_default_lies_in(name):
    command = COMMANDS[name]
    assert ranges_of(command).keys() == numbers(command)
    for field in fields(command):
        if field.name in ranges_of(command) and isinstance(field.default, int | float):
            assert ranges_of(command)[field.name].holds(field.default), field.name


ABSURD = [
    ("restore", "--seed", 2**63, "must lie between 0 and 4,294,967,295, not 9223372036854775808"),
    ("restore", "--seed", -1, "must lie between 0 and 4,294,967,295, not -1"),
    ("degrade", "--seed", 2**32, "must lie between 0 and 4,294,967,295, not 4294967296"),
    ("restore", "--noise-level", 1e9, "must lie between 0 and 255, not 1000000000.0"),
    ("restore", "--noise-lr", 1e30, "must lie between 0 and 100, not 1e+30"),
    ("restore", "--noise-lr", "inf", "must lie between 0 and 100, not inf"),
    ("restore", "--iterations", 10**12, "must lie between 1 and 1,000,000, not 1000000000000"),
    ("restore", "--gamma", "nan", "must lie between 0.01 and 100, not nan"),
    ("degrade", "--gamma", "nan", "must lie between 0.01 and 100, not nan"),
    ("degrade", "--balance", "1 nan", "must lie above 0 and up to 100, not nan"),
    ("restore", "--devices", 0, "must lie between 1 and 4,096, not 0"),
    ("train", "--learning-rate", "nan", "must lie between 0 and 1, not nan"),
    ("train", "--ch-mult", "1 2 0", "must lie between 1 and 64, not 0"),
]


@pytest.mark.parametrize(("name", "flag", "value", "words"), ABSURD)
def test_absurd_numbers_get_a_sentence_before_anything_is_read(command, name, flag, value, words):
    """Though none of the files is there."""
    task = ("--task", "denoise") if name in ("restore", "degrade") else ()
    code, said, errors = command(name, "nowhere/x.png", "nowhere/y.png", *task, flag, *str(value).split())
    assert (code, said) == (2, "")
    assert errors == f"jaxrestore: {flag} {words}.\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_positionals_and_breaks_no_line(command, name):
    code, said, _ = command(name, "--help")
    assert code == 0
    for field in fields(COMMANDS[name]):
        positional = re.search(rf"^. \[?{field.name.upper()}\]? ", said, re.MULTILINE)
        assert positional or as_flag(field.name) in said
        assert field.metadata["help"]
        assert "\n" not in field.metadata["help"]
    if name in ("restore", "degrade"):
        assert re.search(r"usage: jaxrestore \w+ .* INPUT OUTPUT", said)


def test_the_version(command):
    assert command("--version") == (0, f"jaxrestore {jr.__version__}\n", "")


def test_a_device_that_is_not_there_is_said(command, tiny_folder, photograph, tmp_path, monkeypatch):
    def none(*_):
        raise AssertionError  # as JAX does where JAX_PLATFORMS asks for a GPU, and there is none

    monkeypatch.setattr(jax, "devices", none)
    with pytest.raises(jr.InputError, match="JAX finds no device of the kind that JAX_PLATFORMS asks for"):
        jr.load_prior(tiny_folder)
    monkeypatch.setattr("jaxrestore.cli.measured.read_image", none)
    code, _, errors = command("degrade", photograph, tmp_path / "y.png", "--task", "denoise")
    assert code == 2
    assert errors.startswith("jaxrestore: JAX finds no device")
    assert errors.count("\n") == 1
