"""Which genes and gene programmes move, from counts summed per sample and population."""
