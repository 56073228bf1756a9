"""Arrays from and to files: photographs, masks, kernels, measurements, and what a restoration writes."""
