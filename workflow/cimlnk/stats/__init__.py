"""Statistics for a handful of patients: arrays in, NamedTuples out; no cohort, no population, no file."""
