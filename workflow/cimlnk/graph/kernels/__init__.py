"""Compiled inner loops (numba): no compiler is needed at install time, machine code is cached beside this file.

Everything here is nogil, single-threaded and free of global state; the callers split the work into tasks whose bounds
do not depend on the number of threads, which makes every result independent of it.
"""
