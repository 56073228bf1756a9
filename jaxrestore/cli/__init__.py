"""The command line: flags to a typed plan, plans to files."""
