"""Sample sheet, counts, panel and config: reading, validation, design checks."""
