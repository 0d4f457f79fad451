"""How many cells of each population: counts, shares, folds over baseline, their tests, scales and power."""
