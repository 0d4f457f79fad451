"""Single-cell RNA: from 10x counts to clean NK cells."""
