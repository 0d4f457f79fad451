"""What every stage shares: user errors, table schemas, provenance, seeds, the script boundary."""
