"""What the rule dynamics_chimerism runs: read tables, compute, write tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cimlnk.common.tables import read_table, write_table
from cimlnk.dynamics.tables import TESTS

from .course import make_donor_kinetics
from .differential import donor_tests
from .shares import make_shares
from .tables import DONOR_KINETICS, SHARES

PathLike = str | Path


def write_chimerism(
    *,
    calls: PathLike,
    matches: PathLike,
    populations: PathLike,
    abundance: PathLike,
    samples: PathLike,
    patients: PathLike,
    design: str,
    uncertainty: Mapping[str, float],
    baseline_timepoint: str,
    settings: Mapping[str, Any],
    reference_arm: str | None,
    min_patients: int,
    seed: int,
    shares: PathLike,
    kinetics: PathLike,
    tests: PathLike,
    provenance: Mapping[str, Any],
) -> None:
    """Write SHARES, DONOR_KINETICS and the TESTS of donor and recipient.

    Parameters
    ----------
    calls, matches
        DONOR_CALLS and DONOR_MATCHES.
    populations
        POPULATIONS of modality rna.
    abundance, samples, patients
        ABUNDANCE, SAMPLES and PATIENTS.
    design, uncertainty, baseline_timepoint, settings, min_patients
        Config `donors.design`, `dynamics.uncertainty`, `dynamics.baseline_timepoint`, `dynamics.tests`,
        `dynamics.min_patients`.
    reference_arm
        As for the tests of abundance.
    shares, kinetics, tests
        Tables to write.
    """
    counted, sheet = read_table(abundance), read_table(samples)
    table = make_shares(
        read_table(calls),
        read_table(matches),
        read_table(populations),
        abundance=counted,
        samples=sheet,
        design=design,
        overdispersion=uncertainty["fraction_overdispersion"],
    )
    write_table(table, shares, SHARES, provenance=provenance)
    write_table(make_donor_kinetics(table), kinetics, DONOR_KINETICS, provenance=provenance)
    tested = donor_tests(
        table,
        counted,
        samples=sheet,
        patients=read_table(patients),
        baseline=baseline_timepoint,
        formula=settings["formula"],
        reference_arm=reference_arm,
        min_patients=min_patients,
        min_nk_cells=settings["min_nk_cells"],
        seed=seed,
    )
    write_table(tested, tests, TESTS, provenance=provenance)
