"""Words that flags choose among: they stand apart from what they mean, which takes a second to import."""

from typing import Literal

Boundary = Literal["zero", "reflect", "circular", "valid"]  # of a blurred image (`operators.blur`)
Fit = Literal["exact", "resize", "crop", "tile"]  # of a file of another size (`files.images`)
GradientMode = Literal["frozen", "frozen_v", "frozen_x0", "full"]  # of the unroll (`diffusion.ddim`)
NoiseName = Literal["gaussian", "speckle", "poisson", "salt-and-pepper", "bird"]  # of a camera (`simulate.measurement`)
ReductionName = Literal["average", "stride", "bicubic"]  # of an image (`operators.reduce`)
