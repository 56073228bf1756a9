"""The commands ``jaxrestore tasks`` and ``jaxrestore methods``."""

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


@dataclass(frozen=True)
class Methods:
    """List the methods: blind or not, what they need, network evaluations of a default run, papers. With --cite how to cite
    one."""

    prior: str = "flowers64"
    """Whose settings a default run has: an embedded prior's name, a prior's folder, or hf:OWNER/NAME."""

    cite: str | None = None
    """A method's name: print BibTeX of its paper, and of this library, in the place of the list."""

    def __call__(self) -> int:
        if self.cite is not None:
            from jaxrestore.methods import citation

            print(f"{citation(self.cite)}\n\n{citation()}")
            return 0
        from jaxrestore.cli.methods_table import method_rows
        from jaxrestore.diffusion.storage import load_prior

        rows = method_rows(load_prior(self.prior))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return 0
