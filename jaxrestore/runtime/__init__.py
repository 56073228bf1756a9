"""What runs on the host around compiled programs: compiling, devices, checkpoints, progress."""
