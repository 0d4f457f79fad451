"""Whether the two modalities say the same of the same patients and days."""
