"""The command ``jaxrestore tasks``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tasks:
    """List the tasks: what is known, what is estimated, whose they are, and their flags."""

    def __call__(self) -> int:
        from jaxrestore.cli.tasks import TASKS

        for name, task in TASKS.items():
            estimated = f"; estimated: {task.estimated}" if task.estimated else ""
            print(f"{name}\n    known: {task.known}{estimated}")
            print(f"    papers: {task.papers or 'neither'}; flags: {task.flags or 'none'}")
        return 0
