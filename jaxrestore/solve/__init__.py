"""The driver: runs a method until it is done, and says how it ended."""
