"""What a claim is judged by: the tables of the earlier stages, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.vocabulary import NK, SAMPLE_KEYS
from cimlnk.dynamics.baseline import at_baseline

SUPPORTED, NOT_SUPPORTED, NOT_EVALUABLE = "supported", "not supported", "not evaluable"
DESIGN, FINDING, SELF_CHECK = "design", "finding", "self-check"
#: Kinds of claim, a closed list: only a finding says something of patients and cells that could have been otherwise.
KINDS = {
    DESIGN: "what was planned and given: read off the sheets",
    FINDING: "what the patients' cells did: may come out false, and how often by chance is stated",
    SELF_CHECK: "whether this analysis kept its own rules",
}
#: Most cohorts without the effect in which a finding may be supported.
LEVEL = 0.05


@dataclass(frozen=True)
class Verdict:
    """Outcome of one check; see CLAIMS for the meaning of the fields."""

    verdict: str
    why: str
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    bound: str = ""
    n: int = 0
    p: float = np.nan
    p_attainable: float = np.nan
    chance: float = np.nan
    arm: str | None = None
    modality: str | None = None

    def with_reason(self, verdict: str, why: str) -> Verdict:
        return replace(self, verdict=verdict, why=why)


def not_evaluable(why: str, **fields: Any) -> Verdict:
    """The cohort lacks what the claim needs; `why` says what."""
    return Verdict(NOT_EVALUABLE, why, **fields)


def judged(ok: bool, why: str, **fields: Any) -> Verdict:
    """A verdict from a condition that could be evaluated."""
    return Verdict(SUPPORTED if ok else NOT_SUPPORTED, why, **fields)


@dataclass(frozen=True)
class Arms:
    """Names of the arms in this cohort."""

    treated: str = "CIML"
    control: str = "IL2_only"
    nonpersister: str = "nonpersister"
    no_cytokine: str = "no_cytokine"


@dataclass(frozen=True)
class Evidence:
    """Tables by name; a table the run did not make is absent from `tables`.

    Names: ``samples``, ``counts``, ``patients``, ``abundance``, ``folds``, ``kinetics``, ``tests`` (with a column
    ``table``), ``diversity``, ``difficulty``, ``release``, ``state_cytof``, ``state_rna``.

    Parameters
    ----------
    min_patients
        Claims about patients in common need at least so many.
    baseline
        The time point that is the baseline.
    cofactors
        Marker -> arcsinh cofactor of the panel, to turn medians back into ion counts.
    draws
        Cohorts without effect that `chance` is counted over; 0: none, and only exact tests can answer.
    """

    tables: Mapping[str, pd.DataFrame]
    arms: Arms
    seed: int
    min_patients: int = 3
    baseline: str = "pre"
    cofactors: Mapping[str, float] = field(default_factory=dict)
    draws: int = 400
    kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)  # what several claims ask for

    def too_few(self, n: int, what: str, **fields: Any) -> Verdict | None:
        """Not evaluable if fewer than `min_patients` patients have `what`; else None."""
        if n >= self.min_patients:
            return None
        have = f"no patient has {what}" if n == 0 else f"{count(n, 'patient')} with {what}"
        return not_evaluable(f"{have}, at least {self.min_patients} asked", n=n, **fields)

    def get(self, name: str) -> pd.DataFrame:
        """The table, or an empty frame."""
        return self.tables.get(name, pd.DataFrame())

    def has_arm(self, arm: str) -> bool:
        """Whether any sample, count or patient belongs to the arm."""
        return any(
            len(t) and "arm" in t and (t["arm"] == arm).any() for t in map(self.get, ("samples", "patients", "folds"))
        )

    def without_arm(self, arm: str) -> Verdict:
        """The reason where the arm that a claim is about is not there."""
        known = sorted({str(a) for t in map(self.get, ("samples", "patients")) if "arm" in t for a in t["arm"]})
        there = f"; it has {', '.join(known)}" if known else ""
        return not_evaluable(f"the cohort has no arm {arm!r}{there} (claims.arms)", arm=arm)

    def modalities(self) -> list[str]:
        """Modalities with populations, mass cytometry first."""
        table = self.get("abundance")
        return sorted(table["modality"].astype(str).unique()) if len(table) else []

    def protein(self) -> str:
        """The modality that measured proteins: mass cytometry, or whichever other than RNA has a table of states."""
        known = sorted(k.removeprefix("state_") for k, t in self.tables.items() if k.startswith("state_") and len(t))
        proteins = [k for k in known if k != "rna"]
        return "cytof" if "cytof" in proteins or not proteins else proteins[0]

    def patients_of(self, arm: str) -> pd.DataFrame:
        """Rows of the patients sheet of an arm."""
        table = self.get("patients")
        return table[table["arm"] == arm] if len(table) else table

    def folds_of(self, arm: str) -> pd.DataFrame:
        """FOLDS rows of all NK cells of an arm with a fold, up to each patient's censoring event.

        The counts are the same in both modalities; mass cytometry's rows are taken where both are there.
        """
        table = self.get("folds")
        if not len(table):
            return table
        table = table[(table["arm"] == arm) & (table["population"] == NK)]
        table = table[table["modality"] == table["modality"].min()] if len(table) else table
        return self.uncensored(table.dropna(subset=["fold_change"]))

    def censored_days(self) -> dict[str, float]:
        """Day of each patient's first censoring event, such as a stem-cell boost."""
        if "censored" not in self.kept:
            table = self.get("kinetics")
            known = table.dropna(subset=["censored_day"]) if "censored_day" in table else table.iloc[:0]
            days = known.groupby("patient")["censored_day"].min() if len(known) else pd.Series(dtype=float)
            self.kept["censored"] = {str(p): float(d) for p, d in days.items()}
        return self.kept["censored"]

    def uncensored(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows up to the patient's censoring event: what comes after it may be the event's doing."""
        limits = self.censored_days()
        if not limits or not len(table):
            return table
        return table[table["day"] <= table["patient"].map(limits).fillna(np.inf)]

    def fractions(self, arm: str, modality: str) -> pd.DataFrame:
        """ABUNDANCE rows of an arm that come from a file, without the total, up to each patient's censoring event."""
        table = self.get("abundance")
        if not len(table):
            return table
        keep = (table["arm"] == arm) & (table["modality"] == modality) & (table["population"] != NK)
        return self.uncensored(table[keep & table["fraction"].notna()])

    def shares(self, population: str, arm: str, modality: str) -> pd.DataFrame:
        """One row a sample: share of a population; samples in which it was not seen count as zero.

        Empty if no cell of the arm has the name.
        """
        key = ("wide", arm, modality)
        if key not in self.kept:
            table = self.fractions(arm, modality)
            self.kept[key] = (
                table.set_index([*SAMPLE_KEYS, "population"])["fraction"].unstack(fill_value=0.0)
                if len(table) else pd.DataFrame()
            )  # fmt: skip
        wide = self.kept[key]
        return wide[population].rename("value").reset_index() if population in wide else pd.DataFrame()

    def states(self, modality: str, feature: str, column: str, *, arm: str, population: str = NK) -> pd.DataFrame:
        """One row a sample: a STATE column of a feature as `value`, up to each patient's censoring event."""
        state, samples = self.get(f"state_{modality}"), self.get("samples")
        if not len(state) or not len(samples):
            return pd.DataFrame()
        rows = state[(state["feature"] == feature) & (state["population"] == population) & state[column].notna()]
        mine = samples[samples["arm"] == arm]
        columns = [*SAMPLE_KEYS, *(c for c in ("batch",) if c in samples)]
        joined = rows[["sample", "n_cells", column]].merge(mine[columns], on="sample")
        return self.uncensored(joined.rename(columns={column: "value"}))

    def diversities(self) -> pd.DataFrame:
        """DIVERSITY rows with a value, up to each patient's censoring event, and with the sample's time point."""
        table, samples = self.get("diversity"), self.get("samples")
        if not len(table) or not len(samples):
            return pd.DataFrame()
        known = self.uncensored(table[table["inverse_simpson"].notna()])
        return known.assign(timepoint=known["sample"].map(samples.set_index("sample")["timepoint"]))

    def side(self, table: pd.DataFrame, what: str, days: tuple[float, float] | None = None) -> pd.Series:
        """Rows of a side of a comparison: ``donor``, ``product``, ``before`` (baseline), or ``blood`` in `days`."""
        tissue = table["tissue_or_product"]
        if what == "before":
            blood = table[tissue == "blood"]
            return at_baseline(blood, self.baseline).reindex(table.index, fill_value=False).astype(bool)
        if what == "blood":
            low, high = days if days is not None else (0.5, np.inf)
            return (tissue == "blood") & table["day"].between(low, high) & (table["timepoint"] != self.baseline)
        return tissue == what

    def aliased(self, table: pd.DataFrame, first: pd.Series, second: pd.Series) -> str | None:
        """Why a difference of two sides could be one of batches: no patient has both sides in one batch."""
        samples = self.get("samples")
        if "batch" not in samples or samples["batch"].nunique() < 2:
            return None
        batch = table["sample"].map(samples.set_index("sample")["batch"])
        pairs = [set(zip(table.loc[m, "patient"], batch[m], strict=True)) for m in (first, second)]
        if not pairs[0] or not pairs[1] or pairs[0] & pairs[1]:
            return None
        return "in no patient were both sides measured in one batch, so that a difference may be the batch's"
