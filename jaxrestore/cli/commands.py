"""The command line: ``jaxrestore restore``, ``degrade``, ... Heavy imports wait for a command."""

import sys

import tyro

from jaxrestore.cli.cache import keep_programs
from jaxrestore.cli.calibrate import Calibrate
from jaxrestore.cli.console import consoles
from jaxrestore.cli.convert import Convert
from jaxrestore.cli.degrade import Degrade
from jaxrestore.cli.demo import Demo
from jaxrestore.cli.priors import Priors
from jaxrestore.cli.restore import Restore
from jaxrestore.cli.sample import Sample
from jaxrestore.cli.score import Score
from jaxrestore.cli.tasks import Tasks
from jaxrestore.cli.train import Finetune, Train
from jaxrestore.cli.tune import Tune
from jaxrestore.errors import InputError, OutOfMemory

COMMANDS = {
    "restore": Restore,
    "degrade": Degrade,
    "tasks": Tasks,
    "sample": Sample,
    "priors": Priors,
    "convert": Convert,
    "calibrate": Calibrate,
    "tune": Tune,
    "train": Train,
    "finetune": Finetune,
    "score": Score,
    "demo": Demo,
}


def main(arguments: list[str] | None = None) -> None:
    """Run a command. Exit code 0; 2 for bad input (one sentence on stderr); 1 where a folder was restored in part."""
    with consoles():
        command = tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="jaxrestore", args=arguments, description="Image restoration with diffusion priors, in JAX."
        )
        keep_programs()
        try:
            code = command()
        except (InputError, OutOfMemory, OSError) as error:
            print(f"jaxrestore: {error}", file=sys.stderr)
            code = 2
        except KeyboardInterrupt:
            print("jaxrestore: interrupted; nothing half-written is left", file=sys.stderr)
            code = 130
    raise SystemExit(code)


if __name__ == "__main__":
    main()
