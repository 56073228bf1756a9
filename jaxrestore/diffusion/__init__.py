"""What a prior is, and how it generates: schedules, the network as a pytree, DDIM and ancestral steps, tiles, files."""
