"""Which combinations of receptors a sample holds, how diverse and how far apart they are. Reads cells."""
