"""What the cells of a population carry: marker and gene levels, tested within patients."""
