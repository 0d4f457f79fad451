"""What a claim is judged by: the tables of the earlier stages, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK, SAMPLE_KEYS

SUPPORTED, NOT_SUPPORTED, NOT_EVALUABLE = "supported", "not supported", "not evaluable"


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


def not_evaluable(why: str) -> Verdict:
    """The cohort lacks what the claim needs; `why` says what."""
    return Verdict(NOT_EVALUABLE, why)


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

    Names: ``samples``, ``counts``, ``patients``, ``abundance``, ``folds``, ``kinetics``, ``tests``, ``diversity``,
    ``recovery``, ``release``, ``state_cytof``, ``state_rna``. Claims about patients in common need at least
    `min_patients`.
    """

    tables: Mapping[str, pd.DataFrame]
    arms: Arms
    seed: int
    min_patients: int = 3

    def too_few(self, n: int, what: str) -> Verdict | None:
        """Not evaluable if fewer than `min_patients` patients have `what`; else None."""
        if n >= self.min_patients:
            return None
        return not_evaluable(f"{n} patient(s) with {what}, at least {self.min_patients} asked")

    def get(self, name: str) -> pd.DataFrame:
        """The table, or an empty frame."""
        return self.tables.get(name, pd.DataFrame())

    def kinetics_of(self, arm: str, population: str = NK) -> pd.DataFrame:
        """KINETICS rows of an arm and population, one per patient (mass cytometry where both modalities have it)."""
        return self._one_modality(self.get("kinetics"), arm, population)

    def folds_of(self, arm: str, population: str = NK) -> pd.DataFrame:
        """FOLDS rows with a fold, of one modality."""
        table = self._one_modality(self.get("folds"), arm, population)
        return table.dropna(subset=["fold_change"]) if len(table) else table

    @staticmethod
    def _one_modality(table: pd.DataFrame, arm: str, population: str) -> pd.DataFrame:
        if not len(table):
            return table
        table = table[(table["arm"] == arm) & (table["population"] == population)]
        return table[table["modality"] == table["modality"].min()] if len(table) else table

    def fractions(self, arm: str, modality: str | None = None) -> pd.DataFrame:
        """ABUNDANCE rows of an arm that come from a file, without the total; by mass cytometry where there is any."""
        table = self.get("abundance")
        if not len(table):
            return table
        table = table[(table["arm"] == arm) & (table["population"] != NK) & table["fraction"].notna()]
        return table[table["modality"] == (modality or table["modality"].min())] if len(table) else table

    def state_of(self, modality: str, feature: str, population: str = NK) -> pd.DataFrame:
        """STATE rows of a feature with the sample's patient, day, arm and tissue."""
        state, samples = self.get(f"state_{modality}"), self.get("samples")
        if not len(state) or not len(samples):
            return pd.DataFrame()
        rows = state[(state["feature"] == feature) & (state["population"] == population)]
        columns = list(SAMPLE_KEYS)
        return rows.merge(samples[columns], on="sample")
