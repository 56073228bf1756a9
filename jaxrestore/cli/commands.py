"""The command line: ``jaxrestore restore``, ``degrade``, ... All that computes is imported when a command runs."""

import sys
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import tyro
from docstring_parser import parse_from_object

from jaxrestore import __version__
from jaxrestore._ranges import check_ranges
from jaxrestore.cli.cache import keep_programs
from jaxrestore.cli.calibrate import Calibrate
from jaxrestore.cli.console import consoles
from jaxrestore.cli.convert import Convert
from jaxrestore.cli.degrade import Degrade
from jaxrestore.cli.demo import Demo
from jaxrestore.cli.flags import as_flag
from jaxrestore.cli.listing import Methods, Tasks
from jaxrestore.cli.priors import Priors
from jaxrestore.cli.report import Report
from jaxrestore.cli.restore import Restore
from jaxrestore.cli.sample import Sample
from jaxrestore.cli.score import Score
from jaxrestore.cli.train import Finetune, Train
from jaxrestore.cli.tune import Tune
from jaxrestore.errors import InputError, OutOfMemory, check_device

COMMANDS = {
    "restore": Restore,
    "degrade": Degrade,
    "tasks": Tasks,
    "methods": Methods,
    "sample": Sample,
    "priors": Priors,
    "convert": Convert,
    "calibrate": Calibrate,
    "tune": Tune,
    "train": Train,
    "finetune": Finetune,
    "score": Score,
    "report": Report,
    "demo": Demo,
}


def main(arguments: list[str] | None = None) -> None:
    """Run a command. Exit code 0; 2 for bad input (one sentence on stderr); 1 where a folder was restored in part."""
    with consoles():
        raise SystemExit(run(parsed(arguments)))


def parsed(arguments: list[str] | None) -> Any:
    """The command that the arguments name, with its flags."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        print(f"jaxrestore {__version__}")
        raise SystemExit(0)
    if {"-h", "--help"} & {*arguments}:
        for command in COMMANDS.values():
            join_lines(command)
    return tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="jaxrestore",
        args=arguments,
        description="Image restoration with diffusion priors, in JAX. --version says which this is.",
        config=(tyro.conf.PositionalMetavarFromFieldName,),
    )


def run(command: Any) -> int:
    """A command's exit code, and what went wrong on stderr."""
    try:
        check_ranges(command, as_flag)  # before anything is loaded
        keep_programs()
        return command()
    except (InputError, OutOfMemory, OSError) as error:
        print(f"jaxrestore: {error}", file=sys.stderr)
        return 2
    except (RuntimeError, AssertionError):
        try:
            check_device()
        except InputError as error:
            print(f"jaxrestore: {error}", file=sys.stderr)
            return 2
        raise
    except KeyboardInterrupt:
        print("jaxrestore: interrupted; nothing half-written is left", file=sys.stderr)
        return 130


def join_lines(command: type) -> None:
    """Give tyro the texts of a command's flags as paragraphs: from the docstrings it would keep the breaks of their lines."""
    texts = {
        param.arg_name: param.description for cls in command.__mro__[-2::-1] for param in parse_from_object(cls).params
    }
    for field in fields(command):
        text = " ".join((texts.get(field.name) or "").split())
        field.metadata = MappingProxyType({**field.metadata, "help": text})


if __name__ == "__main__":
    main()
