"""Exposure of every patient to every subset, in the terms of cellular pharmacology (Stein 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common import seeds
from cimlnk.common.formulas import neutral
from cimlnk.common.tables import read_table, write_table
from cimlnk.dynamics.abundance.folds import SERIES, daily
from cimlnk.dynamics.tables import PER_UL
from cimlnk.stats.intervals import Z95

from .tables import EXPOSURE

DRAWS = 1000
HORIZON = 28.0
LEAST_TERMINAL = 3  # points that a half-life needs
ZERO_SHAPE, ZERO_TOP = 0.5, 2.5119  # posterior of a rate of which nothing was counted, and its 97.5 % point


class Terminal(NamedTuple):
    """The last decline: slope per day (negative) and how many points made it."""

    slope: float
    n: int


def area(days: NDArray[np.float64], values: NDArray[np.float64], end: float | None = None) -> NDArray[np.float64]:
    """Area from day 0: linear while rising, logarithmic while falling, the first value carried back to day 0.

    Parameters
    ----------
    days
        Ascending, none before 0.
    values
        ... × days.
    end
        Last day of the area (within the days); the last day if None.
    """
    values = np.asarray(values, float)
    if end is not None and end not in days:
        after = int(np.searchsorted(days, end))
        a, b = values[..., after - 1], values[..., after]
        part = (end - days[after - 1]) / (days[after] - days[after - 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            falling = (b < a) & (b > 0)
            at = np.where(falling, a * (np.where(a > 0, b / a, 1.0)) ** part, a + (b - a) * part)
        days = np.append(days[:after], end)
        values = np.concatenate([values[..., :after], at[..., None]], axis=-1)
    elif end is not None:
        keep = days <= end
        days, values = days[keep], values[..., keep]
    a, b, step = values[..., :-1], values[..., 1:], np.diff(days)
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = (a - b) / np.log(a / b)
    falling = (b < a) & (b > 0)
    pieces = np.where(falling, fall, (a + b) / 2) * step
    return values[..., 0] * days[0] + pieces.sum(axis=-1)


def terminal(days: NDArray[np.float64], values: NDArray[np.float64], peak: int) -> Terminal | None:
    """Log-linear decline through the last points after the peak, their number by the best adjusted R2; None if none."""
    best: tuple[float, Terminal] | None = None
    after = np.flatnonzero((np.arange(len(days)) > peak) & (values > 0))
    for n in range(LEAST_TERMINAL, len(after) + 1):
        use = after[-n:]
        x, y = days[use], np.log(values[use])
        slope, intercept = np.polyfit(x, y, 1)
        total = ((y - y.mean()) ** 2).sum()
        r2 = 1 - ((y - slope * x - intercept) ** 2).sum() / total if total > 0 else 0.0
        adjusted = 1 - (1 - r2) * (n - 1) / (n - 2)
        if slope < 0 and (best is None or adjusted > best[0] + 1e-4):
            best = (adjusted, Terminal(float(slope), n))
    return best[1] if best else None


def draw_values(
    value: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draws × days of what the values may be: log-normal by their limits, for no cells below the upper limit."""
    spread = np.zeros(len(value))
    told = (value > 0) & (low > 0) & (high > low)
    spread[told] = np.log(high[told] / low[told]) / (2 * Z95)
    draws = value * np.exp(spread * rng.standard_normal((DRAWS, len(value))))
    zero = (value == 0) & (high > 0)
    if zero.any():
        draws[:, zero] = high[zero] / ZERO_TOP * rng.gamma(ZERO_SHAPE, size=(DRAWS, int(zero.sum())))
    return draws


def exposure_of(
    days: NDArray[np.float64], value: NDArray[np.float64], draws: NDArray[np.float64]
) -> tuple[dict[str, float], list[str]]:
    """Parameters of one series (days from 0 on) and why some are missing."""
    found: dict[str, float] = {}
    reasons: list[str] = []
    peak = int(np.argmax(value))
    tops = draws.argmax(axis=1)
    found |= _limits("cmax", float(value[peak]), draws[:, peak])
    found |= _limits("tmax", float(days[peak]), days[tops])
    above = np.flatnonzero(value > 0)
    if not len(above):
        return found, ["no cell found after infusion"]
    last = int(above[-1])
    found |= _limits("clast", float(value[last]), draws[:, last])
    found["tlast"] = float(days[last])
    found |= _limits("auc0_last", float(area(days, value, days[last])), area(days, draws, days[last]))
    reached = found["auc0_last"]
    if days[-1] >= HORIZON and days[0] < HORIZON:
        found |= _limits("auc0_28", float(area(days, value, HORIZON)), area(days, draws, HORIZON))
        reached = found["auc0_28"]
    else:
        reasons.append(f"no AUC0-28: values from day {days[0]:g} to day {days[-1]:g}")
    found["carried_share"] = float(value[0] * days[0] / reached) if reached > 0 else np.nan
    line = terminal(days, value, peak)
    if line is None:
        reasons.append(f"no half-life: no decline through {LEAST_TERMINAL} or more days after the peak")
        return found, reasons
    found["half_life"] = float(np.log(2) / -line.slope)
    found["n_terminal"] = line.n
    use = np.flatnonzero((np.arange(len(days)) > peak) & (value > 0))[-line.n :]
    with np.errstate(divide="ignore"):
        y = np.log(draws[:, use])
    x = days[use] - days[use].mean()
    slopes = (y * x).sum(axis=1) / (x**2).sum()
    steep, flat = np.quantile(slopes, [0.025, 0.975])
    found["half_life_low"] = float(np.log(2) / -steep) if steep < 0 else np.nan
    found["half_life_high"] = float(np.log(2) / -flat) if flat < 0 else np.nan
    return found, reasons


def _limits(name: str, value: float, draws: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return {name: value, f"{name}_low": float(min(low, value)), f"{name}_high": float(max(high, value))}


def make_exposure(
    *,
    abundance: pd.DataFrame,
    folds: pd.DataFrame,
    kinetics: pd.DataFrame,
    patients: pd.DataFrame,
    seed: int,
) -> pd.DataFrame:
    """EXPOSURE of every series with blood after infusion.

    Parameters
    ----------
    abundance, folds, kinetics, patients
        ABUNDANCE, FOLDS, KINETICS (for ``censored_day``) and PATIENTS (for ``dose_per_kg``).
    seed
        The run's seed; every series draws its own stream.

    Notes
    -----
    The parameters are those of Stein 2019 (doi:10.1002/psp4.12388). Cells on day 0 are rarely
    counted. Unless they were, the first value after infusion stands for the days before it; ``carried_share`` is the
    part of the area that rests on this.
    """
    ends = kinetics.set_index(SERIES)["censored_day"] if len(kinetics) else pd.Series(dtype=float)
    doses = patients.set_index("patient")["dose_per_kg"] if "dose_per_kg" in patients else pd.Series(dtype=float)
    bases = folds.groupby(SERIES)["baseline_day"].first() if len(folds) else pd.Series(dtype=float)
    rows = []
    for key, series in daily(abundance).groupby(SERIES, sort=True):
        end = float(ends.get(key, np.nan))
        measured = series[series["cells_per_ul"].notna()].sort_values("day")
        after = measured[(measured["day"] >= 0) & ~(measured["day"] > end)]
        dose = float(doses.get(key[1], np.nan))
        head = {
            **dict(zip(SERIES, key, strict=True)), "dose_per_kg": dose, "n_days": len(after), "end_day": end,
            "n_terminal": 0,
        }  # fmt: skip
        base = measured[measured["day"] == bases.get(key, np.nan)]
        rng = seeds.rng(seed, "exposure", *key)
        for measure in ("per_ul", "fold"):
            row, reasons = {**head, "measure": measure}, []
            if not len(after):
                reasons.append("no absolute counts" if not len(measured) else "no blood after infusion")
            elif measure == "fold" and not (len(base) and float(base["cells_per_ul"].iloc[0]) > 0):
                reasons.append("no cells measured at baseline")
            else:
                value, low, high = (after[c].to_numpy(float) for c in PER_UL)
                draws = draw_values(value, low, high, rng=rng)
                if measure == "fold":
                    at = [base[c].to_numpy(float)[:1] for c in PER_UL]
                    value, draws = value / at[0], draws / draw_values(at[0], at[1], at[2], rng=rng)
                found, reasons = exposure_of(after["day"].to_numpy(float), value, draws)
                row |= found
                if dose > 0:
                    row["cmax_per_dose"] = found["cmax"] / (dose / 1e6)
                    row["auc0_28_per_dose"] = found.get("auc0_28", np.nan) / (dose / 1e6)
            row["reason"] = "; ".join(reasons) or None
            rows.append(row)
    if not rows:
        return EXPOSURE.empty()
    return EXPOSURE.check(pd.DataFrame(rows).reindex(columns=list(EXPOSURE.columns)))


def write_pharmacology(
    *,
    abundance: str | Path,
    folds: str | Path,
    kinetics: str | Path,
    patients: str | Path,
    counts: str | Path,
    outcomes: list[str],
    seed: int,
    exposure: str | Path,
    outcome_tests: str | Path,
    nonmem: str | Path,
    nonmem_key: str | Path,
    provenance: Mapping[str, Any],
) -> None:
    """Write EXPOSURE, OUTCOMES, and the data set for NONMEM and nlmixr2 with its key."""
    from .nonmem import make_events
    from .outcome import OUTCOMES, test_outcomes

    tables = {n: read_table(p) for n, p in (("abundance", abundance), ("folds", folds), ("kinetics", kinetics))}
    people = read_table(patients)
    found = make_exposure(**tables, patients=people, seed=seed)
    write_table(found, exposure, EXPOSURE, provenance=provenance)
    write_table(test_outcomes(found, people, outcomes, seed=seed), outcome_tests, OUTCOMES, provenance=provenance)
    events, key = make_events(
        tables["abundance"], tables["folds"], tables["kinetics"], patients=people, counts=read_table(counts)
    )
    Path(nonmem).parent.mkdir(parents=True, exist_ok=True)
    events.to_csv(nonmem, index=False, lineterminator="\n", float_format="%.6g")
    neutral(key).to_csv(nonmem_key, index=False, lineterminator="\n")
