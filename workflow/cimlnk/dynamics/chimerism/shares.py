"""DONOR_SHARES: whose cells every sample and subset holds, with the error of the calls, and how many a microlitre."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from cimlnk.common.vocabulary import NK
from cimlnk.donors.tables import AMBIGUOUS, DOUBLET, SINGLET, STATUSES, UNASSIGNED
from cimlnk.dynamics.tables import PER_UL
from cimlnk.stats.intervals import product_limits, share_interval

from .tables import ALL_CALLED, SHARES

NO_ERROR = "none known: the calls give no probability, and there is no independent call and no blood before infusion"
BEFORE = "the blood before infusion"
FLOOR = 0.5  # false calls expected at least: a single cell is no finding
ALPHA = 0.025


@dataclass
class Rates:
    """How often a person's cells are called wrongly in a sample.

    Attributes
    ----------
    n_others
        Other persons in the sample.
    by_probability
        Mean of 1 - probability of the cells called for the person, and of the others'.
    by_second
        Share of the person's cells that the independent call contradicts, and of the others' that it gives the person.
    """

    n_others: int
    by_probability: tuple[float, float] | None = None
    by_second: tuple[float, float] | None = None

    def cells(self, mine: int, others: int) -> tuple[float, float, str]:
        """False calls expected among `mine` cells of the person, missed ones among the `others`, and what says so."""
        false_in, false_out, source = 0.0, 0.0, NO_ERROR
        if self.by_probability is not None:
            own, theirs = self.by_probability
            swapped = theirs * others / max(self.n_others, 1)
            false_in, false_out = max(own * mine, swapped), max(swapped, own * mine)
            source = "the program's own probabilities"
        if self.by_second is not None:
            contradicted, missed = self.by_second
            if contradicted * mine >= false_in:
                false_in, source = contradicted * mine, "the independent call"
            false_out = max(false_out, missed * others)
        return min(false_in, float(mine)), min(false_out, float(others)), source


def make_shares(
    calls: pd.DataFrame,
    matches: pd.DataFrame,
    populations: pd.DataFrame,
    *,
    abundance: pd.DataFrame,
    samples: pd.DataFrame,
    design: str,
    overdispersion: float,
) -> pd.DataFrame:
    """Shares of every person in all called cells, in the NK cells and in every named subset of every sample.

    The share is that among singlets. Its limits hold more than counting: false calls are taken off the lower one and
    missed calls added to the upper one, and the unsure cells (ambiguous, unassigned, NK cells without any call) are all
    another's in the lower one and all this person's in the upper one. Doublets of two persons are in no share. False
    calls are expected from the program's own probabilities, from the independent call of the same cells and, with
    ``third_party``, from a donor's share of the patient's blood before infusion; the most of them count. `detected`
    asks whether chance calls (at least half a cell) explain the cells called (Poisson).

    Parameters
    ----------
    calls, matches
        DONOR_CALLS and DONOR_MATCHES.
    populations
        POPULATIONS of the single-cell RNA data (cell, sample, population).
    abundance
        ABUNDANCE, of which the rows of modality rna are used.
    samples
        SAMPLES.
    design
        Config `donors.design`.
    overdispersion
        Config `dynamics.uncertainty.fraction_overdispersion`.

    Returns
    -------
    DataFrame
        SHARES. A person seen on any day of the patient has a row on every day on which all labels have persons, with a
        share of 0 and its upper limit where no cell is the person's.
    """
    facts = samples.set_index("sample")
    calls = calls.assign(who=_names(calls), named=calls["person"].notna())
    before = _before_infusion(calls, facts, design)
    population_of = populations.set_index("cell")["population"]
    rows: list[dict[str, Any]] = []
    for sample, own in calls.groupby("sample", sort=True):
        patient = facts.at[sample, "patient"]
        match = matches[matches["patient"] == patient]
        people = _people(match, str(sample))
        nk = population_of[populations.loc[populations["sample"] == sample, "cell"]]
        rates, shown_before = _rates(own, people), before.get(patient, {})
        for population, part, uncalled in _parts(own, nk):
            for row in _rows_of(part, uncalled, people, rates=rates, before=shown_before):
                rows.append({"sample": sample, "population": population} | row)
    table = pd.DataFrame(rows)
    if not len(table):
        return SHARES.empty()
    for column in ("patient", "day", "timepoint", "arm", "tissue_or_product"):
        table[column] = table["sample"].map(facts[column])
    table = _per_ul(_limits(table, overdispersion), abundance[abundance["modality"] == "rna"])
    order = ["patient", "day", "sample", "population", "person"]
    return SHARES.check(table[list(SHARES.columns)].sort_values(order, kind="stable", ignore_index=True))


def _names(calls: pd.DataFrame) -> pd.Series:
    """The person of every singlet; where no one is named, the sample and its label, which no other day can have."""
    label = calls["sample"].astype(str) + " label " + calls["label"].astype(str)
    return calls["person"].where(calls["person"].notna(), label).where(calls["status"] == SINGLET, None)


def _people(match: pd.DataFrame, sample: str) -> dict[str, tuple[str | None, bool]]:
    """Who may be in a sample: person -> role, and whether named."""
    here = match[match["sample"] == sample]
    found = {
        (r.person if isinstance(r.person, str) else f"{sample} label {r.label}"): (r.role, isinstance(r.person, str))
        for r in here.itertuples()
    }
    if here["person"].notna().all():  # else the label without a name may be the one that seems absent
        elsewhere = match[match["person"].notna() & match["role"].notna()]
        found |= {r.person: (r.role, True) for r in elsewhere.itertuples() if r.person not in found}
    return found


def _parts(own: pd.DataFrame, nk: pd.Series) -> Iterator[tuple[str, pd.DataFrame, int]]:
    """All called cells, the NK cells and their subsets: name, calls, and how many cells have no call at all."""
    yield ALL_CALLED, own, 0
    if not len(nk):
        return
    called = own[own["cell"].notna()].set_index("cell")
    called = called[called.index.isin(nk.index)]
    yield NK, called, len(nk) - len(called)
    for population, cells in nk.groupby(nk.astype(str), sort=True):
        part = called[called.index.isin(cells.index)]
        yield str(population), part, len(cells) - len(part)


def _rows_of(
    part: pd.DataFrame,
    uncalled: int,
    people: dict[str, tuple[str | None, bool]],
    *,
    rates: dict[str, Rates],
    before: dict[str, float],
) -> Iterator[dict[str, Any]]:
    """The counts of every person in one set of cells; shares and limits come for all rows at once."""
    status = part["status"].to_numpy(object)
    single, doublet = status == SINGLET, status == DOUBLET
    who, second = part["who"].to_numpy(object), part["second"]
    n, n_doublets = int(single.sum()), int(doublet.sum())
    sure = second[second.notna() & ~second.isin(STATUSES)]
    for person, (role, named) in sorted(people.items()):
        k = int((who == person).sum())
        false_in, false_out, source = rates[person].cells(k, n - k)
        if person in before and before[person] * (n - k) >= false_in:
            false_in, source = min(float(k), before[person] * (n - k)), BEFORE
        yield {
            "person": person, "named": named, "role": role, "n_called": len(part), "n_singlets": n, "n_person": k,
            "n_doublets": n_doublets, "n_unsure": len(part) - n - n_doublets + uncalled, "false_in": false_in,
            "false_out": false_out, "error_source": source,
            "second_share": float((sure == person).mean()) if named and len(sure) else np.nan,
            "reason": None if n else "no singlet was called",
        }  # fmt: skip


def _limits(table: pd.DataFrame, overdispersion: float) -> pd.DataFrame:
    """`share`, its limits and `detected` from the counts of every row."""
    k, n, unsure = (table[c].to_numpy(float) for c in ("n_person", "n_singlets", "n_unsure"))
    total = n + unsure
    detected = (k > 0) & (special.pdtrc(k - 1, np.maximum(table["false_in"].to_numpy(float), FLOOR)) < ALPHA)
    share, _, _ = share_interval(k, n, overdispersion=overdispersion)
    # false calls are taken off after the limit: their own counting error is that of the cells called
    false = table["false_in"].to_numpy(float) / np.where(total > 0, total, np.nan)
    most = np.minimum(k + table["false_out"].to_numpy(float) + unsure, total)
    _, low, _ = share_interval(k, total, overdispersion=overdispersion)
    low = np.maximum(low - false, 0.0)
    _, _, high = share_interval(most, total, overdispersion=overdispersion)
    low = np.where(detected | ~(n > 0), low, 0.0)
    return table.assign(share=share, share_low=low, share_high=high, detected=detected)


def _rates(own: pd.DataFrame, people: dict[str, tuple[str | None, bool]]) -> dict[str, Rates]:
    """Rates of false calls of every person, from all singlets of the sample.

    A program's probability takes all persons for equally frequent. Where one is rare, the false calls are as many as
    the others' cells times the rate of error, not what the probabilities of the person's own cells say: both are
    looked at, and the larger counts.
    Against the independent call a cell is called wrongly if that says another person or a doublet.
    """
    singlets = own[own["status"] == SINGLET]
    wrong = 1.0 - singlets["probability"].astype(float)
    second = singlets["second"]
    both = second.notna() & ~second.isin([AMBIGUOUS, UNASSIGNED])
    found = {}
    for person, (_, named) in people.items():
        mine, same = singlets["who"] == person, second == person
        rates = Rates(len(people) - 1)
        if wrong.notna().any():
            rates.by_probability = (_mean(wrong[mine]), _mean(wrong[~mine]))
        if both.any() and named:
            rates.by_second = (_mean(~same[mine & both]), _mean(same[~mine & both]))
        found[person] = rates
    return found


def _mean(values: pd.Series) -> float:
    return float(values.dropna().mean()) if values.notna().any() else 0.0


def _before_infusion(calls: pd.DataFrame, facts: pd.DataFrame, design: str) -> dict[str, dict[str, float]]:
    """Patient -> donor -> highest share of the patient's blood before infusion: what is called there is called wrongly.

    Only where no donor's cell can be there, and only where the patient's own are the others.
    """
    found: dict[str, dict[str, float]] = {}
    if design != "third_party":
        return found
    singlets = calls[(calls["status"] == SINGLET) & calls["named"]]
    given = singlets[singlets["role"] == "donor"]
    donors = given.groupby(given["sample"].map(facts["patient"]))["who"].unique()
    for sample, part in singlets.groupby("sample", sort=True):
        if facts.at[sample, "day"] >= 0 or facts.at[sample, "tissue_or_product"] != "blood":
            continue
        shares = found.setdefault(str(facts.at[sample, "patient"]), {})
        for person in donors.get(facts.at[sample, "patient"], ()):
            shares[person] = max(shares.get(person, 0.0), float((part["who"] == person).mean()))
    return found


def _per_ul(table: pd.DataFrame, abundance: pd.DataFrame) -> pd.DataFrame:
    """Cells of the person per microlitre: those of the subset times the person's share, limits by MOVER."""
    known = abundance.dropna(subset=["sample"])[["sample", "population", *PER_UL, "reason"]]
    joined = table.merge(known.rename(columns={"reason": "why"}), on=["sample", "population"], how="left")
    whole = tuple(joined[c].to_numpy(float) for c in PER_UL)
    share = tuple(joined[c].to_numpy(float) for c in ("share", "share_low", "share_high"))
    joined["per_ul"] = whole[0] * share[0]
    with np.errstate(invalid="ignore"):
        joined["per_ul_low"], joined["per_ul_high"] = product_limits(whole, share)
    joined.loc[joined["share_low"] <= 0, "per_ul_low"] = 0.0
    joined.loc[joined["per_ul"].isna(), ["per_ul_low", "per_ul_high"]] = np.nan
    why = joined["why"].fillna("no cells per uL of this subset")
    why = why.where(joined["population"] != ALL_CALLED, "not NK cells alone: no cells per uL")
    empty = joined["per_ul"].isna() & joined["reason"].isna()
    joined.loc[empty, "reason"] = why[empty]
    return joined
