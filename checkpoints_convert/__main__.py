"""The command line of the converter, which is also ``jaxrestore convert``."""

import tyro

from jaxrestore.cli.convert import Convert

if __name__ == "__main__":
    raise SystemExit(tyro.cli(Convert)())
