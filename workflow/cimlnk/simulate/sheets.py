"""Sample sheet, counts and patients of a synthetic cohort, as a study nurse would hand them over.

``python -m cimlnk.simulate.sheets`` writes those in ``config/``; they are committed, so that a run can be checked
before any file exists.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.common.errors import UserError
from cimlnk.common.seeds import rng

from .design import COUNT_DAYS, IL2_DAYS, IL2_ONLY, NO_CYTOKINE, SIZES, Patient, patients, samples
from .kinetics import kinetics, measured

DEFAULT_SEED = 1
KILLING = {0.5: 18.0, 1.0: 27.0, 2.5: 39.0, 5.0: 52.0, 10.0: 66.0}  # ratio of NK cells to K562 -> percent
CYTOKINES = {"IFN-g": (6.0, 29.33), "TNF-a": (14.0, 78.5)}  # alone, with K562


def raw_folder(cohort: str) -> str:
    """Where the raw files of a synthetic cohort lie, below the repository root."""
    return f"data/{cohort}"


def _il2_dose(patient: Patient, day: int) -> float:
    """Million IU per square metre given on that day; NaN before the infusion and after the schedule."""
    if patient.arm == IL2_ONLY:
        return 1.0 if 0 < day < 84 else np.nan
    if patient.arm == NO_CYTOKINE or not 0 < day <= IL2_DAYS[-1]:
        return np.nan
    return 1.0 if day in IL2_DAYS[: patient.il2_received] else 0.0


def counts_table(size: str, seed: int) -> pd.DataFrame:
    """The counts sheet: what the laboratory measured, lymphocytes where a CyTOF file can be joined, else NK cells.

    A count of lymphocytes is given only on days with a CyTOF file of that patient's blood; NK per microlitre is then
    that count times NK cells over lymphocytes in the file.
    """
    curves = kinetics(size, seed)
    with_file = {(s.patient.id, s.day) for s in samples(size, seed) if s.modality == "cytof" and s.tissue == "blood"}
    rows = []
    for patient in patients(size, seed):
        curve = curves[patient.id]
        for day in sorted({*COUNT_DAYS, *patient.events}):
            by_file = patient.counts_given == "lymphocytes" and (patient.id, day) in with_file
            if by_file:
                value = curve.lymphocytes_per_ul(day, patient.arm != IL2_ONLY)
            else:
                value = curve.nk_per_ul(day)
            reading = measured(seed, patient, day, what="lymphocytes" if by_file else "nk", value=value)
            rows.append(
                {
                    "patient": patient.id,
                    "day": day,
                    "nk_per_ul": np.nan if by_file else reading,
                    "lymphocytes_per_ul": reading if by_file else np.nan,
                    "il2_dose": _il2_dose(patient, day),
                    "event": patient.events.get(day, ""),
                }
            )
    return pd.DataFrame(rows)


def sheets(size: str, seed: int, cohort: str | None = None) -> dict[str, pd.DataFrame]:
    """The sheets of a synthetic cohort: ``samples``, ``counts``, ``patients`` (columns as in the architecture).

    Parameters
    ----------
    size
        ``tiny``, ``demo``, ``controls``, ``lymphoma`` or ``large``.
    cohort
        Id of the cohort, in the paths of the raw files; the size's name by default.
    """
    folder = raw_folder(cohort or size)
    sample_rows = [
        {
            "sample": s.id,
            "patient": s.patient.id,
            "day": s.day,
            "timepoint": s.timepoint,
            "arm": s.patient.arm,
            "tissue_or_product": s.tissue,
            "modality": s.modality,
            "path": f"{folder}/{s.path}",
            "batch": s.batch,
        }
        for s in samples(size, seed)
    ]
    patient_rows = [
        {
            "patient": p.id,
            "arm": p.arm,
            "disease": p.disease,
            "dose_per_kg": p.dose_per_kg,
            "il2_planned": p.il2_planned,
            "il2_received": p.il2_received,
            "cmv_viremia": "yes" if p.cmv_viremia else "no",
            "donor_cmv": "positive" if p.donor_cmv else "negative",
        }
        for p in patients(size, seed)
    ]
    result = {
        "samples": pd.DataFrame(sample_rows),
        "counts": counts_table(size, seed),
        "patients": pd.DataFrame(patient_rows),
    }
    if any(p.response for p in patients(size, seed)):
        result["patients"]["response"] = [p.response for p in patients(size, seed)]
        result["functional"] = functional_table(size, seed)
    return result


def functional_table(size: str, seed: int) -> pd.DataFrame:
    """What a laboratory read of every product: killing of K562 at five ratios, two cytokines with and without it.

    Means as published for day-21 activated cells (best killing at 10:1, IFN-gamma 29.3 and TNF-alpha 78.5 pg/mL with
    K562, three readings each); the height of the killing curve and the spread are of our choice.
    """
    rows: list[tuple[str, str, str, float, float, str]] = []
    for s in samples(size, seed):
        if s.tissue != "product" or s.modality != "cytof":
            continue
        random = rng(seed, "functional", s.patient.id)
        donor = float(np.exp(random.normal(0, 0.15)))
        for ratio, mean in KILLING.items():
            for value in np.clip(mean * donor + random.normal(0, 3, 3), 0, 100):
                rows.append((s.id, "killing", "K562", ratio, round(float(value), 1), "percent"))
        for readout, (alone, mixed) in CYTOKINES.items():
            for target, mean in (("none", alone), ("K562", mixed)):
                for value in mean * donor * np.exp(random.normal(0, 0.12, 3)):
                    rows.append((s.id, readout, target, np.nan, round(float(value), 1), "pg/mL"))
    return pd.DataFrame(rows, columns=["sample", "readout", "target", "effector_target", "value", "unit"])


def as_text(table: pd.DataFrame) -> str:
    """A sheet as tab-separated text; whole numbers without a decimal point, empty where nothing is known."""
    text = table.copy()
    for column in text.select_dtypes("float").columns:
        text[column] = ["" if np.isnan(v) else f"{v:.0f}" if v == round(v) else f"{v:g}" for v in text[column]]
    return text.to_csv(sep="\t", index=False, lineterminator="\n")


def write_sheets(size: str, seed: int, folder: Path, *, cohort: str | None = None) -> list[Path]:
    """Write ``{folder}/{samples,counts,patients}/{cohort}.tsv`` (and functional/) and return the paths."""
    written = []
    for name, table in sheets(size, seed, cohort).items():
        path = folder / name / f"{cohort or size}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(as_text(table), encoding="utf-8")
        written.append(path)
    return written


def check_sheets(
    size: str, seed: int, cohort: str, *, samples: Path, counts: Path, patients: Path, functional: Path | None = None
) -> None:
    """Refuse sheets that do not belong to the size and seed of the config.

    Raises
    ------
    UserError
        If a sheet differs from what the generator writes for this size, seed and cohort id.
    """
    expected = sheets(size, seed, cohort)
    given = {"samples": samples, "counts": counts, "patients": patients}
    if functional is not None:
        given["functional"] = functional
    for name, path in given.items():
        want = as_text(expected[name]).splitlines()
        have = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()  # other bytes are other sheets
        if want != have:
            line = next(
                (i for i, (a, b) in enumerate(zip(want, have, strict=False)) if a != b), min(map(len, (want, have)))
            )
            raise UserError(
                path,
                f"line {line + 1}",
                have[line] if line < len(have) else "the end of the file",
                f"the {name} of the synthetic cohort (size {size}, seed {seed}, id {cohort}); write them with "
                f"`python -m cimlnk.simulate.sheets --size {size} --seed {seed} --cohort {cohort}`",
            )


def main(arguments: list[str] | None = None) -> None:
    """The command line of ``python -m cimlnk.simulate.sheets``."""
    parser = argparse.ArgumentParser(description="Write the sheets of a synthetic cohort.")
    parser.add_argument("--size", choices=sorted(SIZES), required=True)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--cohort", help="id of the cohort (default: the size)")
    parser.add_argument("--folder", type=Path, default=Path("config"), help="where to write (default: config)")
    given = parser.parse_args(arguments)
    for path in write_sheets(given.size, given.seed, given.folder, cohort=given.cohort):
        print(path)


if __name__ == "__main__":
    main()
