"""Mass cytometry: from FCS files to clean, gated NK cells."""
