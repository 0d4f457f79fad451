"""Results in the formats of other programs: AnnData, MuData, FCS with a workspace, Excel, pharmacology tables."""
