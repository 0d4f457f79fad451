"""How the cells of a patient rise and fall: a curve per patient and population, and what is read off it."""
