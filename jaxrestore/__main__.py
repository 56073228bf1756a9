"""``python -m jaxrestore`` is the command ``jaxrestore``."""

from jaxrestore.cli.commands import main

if __name__ == "__main__":
    main()
