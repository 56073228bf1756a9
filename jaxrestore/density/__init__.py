"""How typical a noise is, and how to make it so."""
