"""The command ``jaxrestore restore``."""

import sys
from dataclasses import dataclass
from pathlib import Path

from jaxrestore.cli.flags import File, RestorationFlags


@dataclass(frozen=True, kw_only=True)
class Restore(RestorationFlags):
    """Restore a degraded image, or every image of a folder."""

    input: File
    """The degraded image, or a folder of them; in tomography one .npy sinogram."""
    output: File
    """The .png (.jpg, .webp, .tif) to write, or a folder. A strip (input, restored, reference), the kernel and run.json are
    written beside a file, and into sub-folders of a folder."""
    reference: Path | None = None
    """The clean image (or a folder of them): PSNR and SSIM are reported, and used for nothing else."""

    def __call__(self) -> int:
        from jaxrestore.cli.hosts import join

        here = join(self.coordinator, self.hosts, self.host_id)  # before anything else is done with JAX

        from jaxrestore.cli.jobs import run_job
        from jaxrestore.cli.paths import check_overwriting, entries_of
        from jaxrestore.cli.plan import restoration_plan

        entries, folder = entries_of(self.input, self.output, self.reference, self.mask), self.input.is_dir()
        check_overwriting(entries, self.kernel, self.operator)
        plan = restoration_plan(self, [entry.input for entry in entries])
        failures = run_job(plan, entries, folder, here)
        for failure in failures:
            print(f"jaxrestore: {failure}", file=sys.stderr)
        failed = here.sum(len(failures))
        return 0 if not failed else 1 if folder and failed < len(entries) else 2
