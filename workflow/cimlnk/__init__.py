"""cimlnk: longitudinal profiling of CIML NK cells, mass cytometry, flow cytometry and scRNA-seq together.

One sub-package per stage; a stage imports only the libraries and the stages before it::

    libraries  common  stats  graph
    stages     cohort  simulate  cytof  rna  populations  adt  donors  dynamics  claims  export  report  front
    last       scenarios (known answers asked of single functions)

docs/architecture.md, "Where a thing is done", leads from a question to the module.
"""

import os

from .common.interrupt import speak_plainly

speak_plainly()  # first, since what is imported after it takes seconds

# Snakemake exports OMP_NUM_THREADS from the rule's `threads`, but numba reads its own variable, and only once.
os.environ.setdefault("NUMBA_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))

__version__ = "0.2.0"
