"""Schemas of the tables made for other programs."""

from __future__ import annotations

from cimlnk.common.tables import Schema

EXPOSURE = Schema(
    "EXPOSURE",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "patient": ("str", "patient id"),
        "arm": ("str", "study arm"),
        "population": ("str", "named subset, or `NK` for all"),
        "measure": ("str", "`per_ul` (cells/uL of blood) or `fold` (over the patient's own baseline)"),
        "dose_per_kg": ("float", "infused NK cells per kg; NaN if not given"),
        "n_days": ("int", "blood days from day 0 up to the first event that ends the series"),
        "cmax": ("float", "highest measured value after infusion"),
        "cmax_low": ("float", "lower 95 % limit"),
        "cmax_high": ("float", "upper 95 % limit"),
        "tmax": ("float", "day of the highest value"),
        "tmax_low": ("float", "earliest day that is highest in 97.5 % of the draws"),
        "tmax_high": ("float", "latest such day"),
        "clast": ("float", "last value above zero"),
        "clast_low": ("float", "lower 95 % limit"),
        "clast_high": ("float", "upper 95 % limit"),
        "tlast": ("float", "day of the last value above zero"),
        "auc0_28": ("float", "area under the curve, day 0 to 28 (value x days)"),
        "auc0_28_low": ("float", "lower 95 % limit"),
        "auc0_28_high": ("float", "upper 95 % limit"),
        "auc0_last": ("float", "area under the curve, day 0 to tlast (value x days)"),
        "auc0_last_low": ("float", "lower 95 % limit"),
        "auc0_last_high": ("float", "upper 95 % limit"),
        "carried_share": ("float", "share of auc0_28 (else auc0_last) before the first measured day, see the manual"),
        "cmax_per_dose": ("float", "cmax per million infused cells per kg"),
        "auc0_28_per_dose": ("float", "auc0_28 per million infused cells per kg"),
        "half_life": ("float", "days, log-linear through the last points after tmax"),
        "half_life_low": ("float", "lower 95 % limit"),
        "half_life_high": ("float", "upper 95 % limit; infinite decline not excluded: NaN"),
        "n_terminal": ("int", "points of that line"),
        "end_day": ("float", "day of the event that ends the series; NaN if none"),
        "reason": ("str?", "why a number is NaN"),
    },
)

OUTCOMES = Schema(
    "OUTCOMES",
    {
        "outcome": ("str", "column of the patients' sheet"),
        "modality": ("str", "`cytof` or `rna`"),
        "arm": ("str", "patients compared"),
        "population": ("str", "named subset, or `NK` for all"),
        "measure": ("str", "`per_ul` or `fold`"),
        "parameter": ("str", "column of EXPOSURE"),
        "group": ("str?", "patients whose value is compared with the others'; missing for a number"),
        "n": ("int", "patients with both"),
        "n_group": ("int", "patients of the group; 0 for a number"),
        "effect": ("float", "probability that a patient of the group lies higher, or Kendall-type rank correlation"),
        "effect_unit": ("str", "`probability of superiority` or `rank correlation`"),
        "p": ("float", "two-sided, exact permutation of the patients"),
        "p_floor": ("float", "smallest p these patients could give"),
        "fdr": (
            "float",
            "Benjamini-Hochberg within outcome, modality and measure, where p_floor is below 0.05",
        ),
        "method": ("str", "the method in words"),
        "reason": ("str?", "why a number is NaN"),
    },
)

EVENTS = Schema(
    "NONMEM",
    {
        "ID": ("int", "patient number, see nonmem_key.csv"),
        "TIME": ("float", "days since the patient's first record"),
        "DAY": ("float", "days after infusion (day 0)"),
        "AMT": ("float", "infused cells per kg (CMT 1) or IL-2 dose in million IU/m2 (CMT 3); 0 for observations"),
        "DV": ("float", "cells/uL; where CENS is 1 the limit below which the value lies; 0 for doses"),
        "LDV": ("float", "natural logarithm of DV; 0 for doses"),
        "LIMIT": ("float", "lower limit of a censored value: 0"),
        "CMT": ("int", "1 infusion, 2 blood, 3 IL-2"),
        "EVID": ("int", "0 observation, 1 dose"),
        "MDV": ("int", "1 where DV is no observation"),
        "CENS": ("int", "1: no cell found, DV is the upper 95 % limit (method M3)"),
        "DVID": ("int", "population, see nonmem_key.csv; 0 for doses"),
        "SE": ("float", "standard error of LDV from counting and gating; 0 where there is none"),
        "ARM": ("int", "arm, see nonmem_key.csv"),
        "BASE": ("float", "cells/uL at baseline; -99 if not measured"),
        "AFTER": ("int", "1: after an event that ends the series (donor lymphocytes, boost, relapse)"),
    },
)
