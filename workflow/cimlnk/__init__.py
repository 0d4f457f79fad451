"""cimlnk: longitudinal profiling of CIML NK cells, mass cytometry and scRNA-seq together.

One sub-package per stage; a stage imports only stages to its left::

    common  cohort  (simulate | cytof | rna)  graph  populations  dynamics  claims  report
"""

import os

from .common.interrupt import speak_plainly

speak_plainly()  # first, since what is imported after it takes seconds

# Snakemake exports OMP_NUM_THREADS from the rule's `threads`, but numba reads its own variable, and only once.
os.environ.setdefault("NUMBA_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))

__version__ = "0.2.0"
