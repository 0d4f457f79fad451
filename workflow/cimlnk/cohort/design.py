"""What the design can distinguish: batch against time, arm and patient, before anything is corrected or fitted.

A batch correction that may move cells freely between batches (Harmony and its like) also removes whatever differs
*because* batches hold different time points. Batch and a factor can be distinguished exactly as far as their levels are
linked: draw a graph with the batches on one side, the factor's levels on the other and an edge for every sample. With
`c` connected parts the joint design matrix has rank ``b + f - c``, so ``c - 1`` contrasts of the factor are contrasts
of batches too ("aliased"): no method can say which of the two made the difference (connectedness of a two-way design,
Searle, Linear Models, 1971).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .words import count, listed

FACTORS = ("timepoint", "day", "arm", "tissue_or_product", "patient")
# What a correction must never remove: the study's questions. (Patient is not among them: see `confounding`.)
QUESTIONS = ("timepoint", "day", "arm", "tissue_or_product")

ONE_BATCH = "There is one batch: nothing to correct."


def confounding(samples: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """How far batches can be distinguished from time, arm, tissue and patient, per modality.

    Parameters
    ----------
    samples
        SAMPLES; a column ``anchor`` (any text names the material, the same text in several batches) marks reference
        material measured again in every batch. Without it, the same patient, time point and tissue found in several
        batches counts as such.

    Returns
    -------
    dict
        Modality -> JSON-ready record:

        - ``n_samples``, ``n_batches``, ``batches`` (batch -> its samples);
        - ``factors``: factor -> ``levels``, ``aliased`` (contrasts that are contrasts of batches too), ``free``
          (contrasts that can be distinguished from batches), ``cramers_v`` (association, not
          corrected for bias, 0-1; NaN as None),
          ``parts`` (the unconnected parts of the design, each with its batches and levels), ``words``;
        - ``anchors``: ``groups`` (material -> batches), ``verdict`` (``allowed``/``refused``), ``why``;
        - ``harmony_on_batch``: ``verdict`` (``allowed``/``refused``), ``why``;
        - ``verdict``: ``one batch``, ``separable``, ``partly confounded`` or ``confounded``;
        - ``words``: the verdict in a sentence.

    Notes
    -----
    Patients nested in batches (all samples of a patient in one batch) do not forbid the correction: contrasts over time
    stay within the batch. But differences between patients are then removed along with the batch, and it is said.
    """
    return {
        str(modality): _modality(rows.reset_index(drop=True))
        for modality, rows in samples.groupby("modality", sort=True, observed=True)
    }


def aliasing(batch: Sequence[Any], factor: Sequence[Any]) -> dict[str, Any]:
    """Aliased and free contrasts of a factor beside the batch, from the connected parts of the two-way design.

    Examples
    --------
    >>> aliasing(["b1", "b1", "b2", "b2"], ["pre", "d7", "pre", "d7"])["aliased"]
    0
    >>> aliasing(["b1", "b1", "b2", "b2"], ["pre", "pre", "d7", "d7"])["aliased"]
    1
    """
    table = pd.crosstab(
        pd.Series(list(batch), dtype=object).map(str), pd.Series(list(factor), dtype=object).map(_label)
    )
    parts = _parts(table)
    n_levels = table.shape[1]
    return {
        "levels": n_levels,
        "aliased": len(parts) - 1,
        "free": n_levels - len(parts),
        "cramers_v": _cramers_v(table.to_numpy(dtype=float)),
        "parts": parts,
    }


def _modality(rows: pd.DataFrame) -> dict[str, Any]:
    batches = {str(b): sorted(map(str, g["sample"])) for b, g in rows.groupby("batch", sort=True, observed=True)}
    factors = {f: aliasing(list(rows["batch"]), list(rows[f])) for f in FACTORS}
    for name, record in factors.items():
        record["words"] = _factor_words(name, record, len(batches))
    anchors = _anchors(rows, len(batches))
    verdict, words = _verdict(factors, len(batches))
    return {
        "n_samples": len(rows),
        "n_batches": len(batches),
        "batches": batches,
        "factors": factors,
        "anchors": anchors,
        "harmony_on_batch": _harmony(factors, len(batches)),
        "verdict": verdict,
        "words": words,
    }


def _parts(table: pd.DataFrame) -> list[dict[str, list[str]]]:
    """Connected parts of the bipartite graph of batches (rows) and levels (columns), largest first."""
    left = list(table.index)
    parts = []
    while left:
        batches, levels = {left[0]}, set[str]()
        while True:
            levels_now = set(table.columns[(table.loc[sorted(batches)] > 0).any(axis=0)])
            batches_now = set(table.index[(table[sorted(levels_now)] > 0).any(axis=1)])
            if (levels_now, batches_now) == (levels, batches):
                break
            levels, batches = levels_now, batches_now
        parts.append({"batches": sorted(batches), "levels": sorted(levels)})
        left = [b for b in left if b not in batches]
    return sorted(parts, key=lambda p: (-len(p["levels"]), p["batches"]))


def _cramers_v(table: np.ndarray) -> float | None:
    """Association of batch and factor, 0 = balanced, 1 = one determines the other; None with a single level."""
    if min(table.shape) < 2:
        return None
    n = table.sum()
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / n
    chi2 = ((table - expected) ** 2 / expected).sum()
    return round(float(np.sqrt(chi2 / (n * (min(table.shape) - 1)))), 4)


def _factor_words(name: str, record: dict[str, Any], n_batches: int) -> str:
    name = name.replace("_or_", " or ").replace("timepoint", "time point")
    if record["levels"] < 2:
        return f"One {name} only."
    if n_batches < 2:
        return f"{count(record['levels'], name)}, all in one batch."
    if record["aliased"] == 0:
        return f"All {count(record['levels'], name)} are linked across batches."
    parts = " | ".join(f"{listed(p['batches'])}: {listed(p['levels'])}" for p in record["parts"])
    rest = "none can" if record["free"] == 0 else f"{record['free']} can"
    return (
        f"{record['aliased']} of {count(record['aliased'] + record['free'], 'contrast')} between levels of {name} "
        f"cannot be distinguished from batches, {rest} ({parts})."
    )


def _anchors(rows: pd.DataFrame, n_batches: int) -> dict[str, Any]:
    if "anchor" in rows.columns:
        known = rows[rows["anchor"].notna()]
        groups = {str(a): sorted({str(b) for b in g["batch"]}) for a, g in known.groupby("anchor", sort=True)}
    else:
        keys = ["patient", "timepoint", "tissue_or_product"]
        groups = {
            " / ".join(map(str, material)): sorted({str(b) for b in g["batch"]})
            for material, g in rows.groupby(keys, sort=True, observed=True)
        }
    groups = {a: batches for a, batches in groups.items() if len(batches) > 1}
    if n_batches < 2:
        return {"groups": {}, "verdict": "refused", "why": ONE_BATCH}
    if not groups:
        return {"groups": {}, "verdict": "refused", "why": "No material was measured in more than one batch."}
    pairs = [(b, a) for a, batches in groups.items() for b in batches]
    table = pd.crosstab(pd.Series([b for b, _ in pairs]), pd.Series([a for _, a in pairs]))
    linked = _parts(table)
    absent = sorted(set(map(str, rows["batch"])) - set(table.index))
    if len(linked) > 1 or absent:
        tell = (
            f"batch {listed(absent)} has none"
            if absent
            else "they link only " + " and only ".join(listed(p["batches"]) for p in linked)
        )
        return {"groups": groups, "verdict": "refused", "why": f"Anchors do not link all batches: {tell}."}
    why = "The same material in every batch shows the batch effect whatever else differs."
    return {"groups": groups, "verdict": "allowed", "why": why}


def _harmony(factors: dict[str, dict[str, Any]], n_batches: int) -> dict[str, str]:
    if n_batches < 2:
        return {"verdict": "refused", "why": ONE_BATCH}
    for name in QUESTIONS:
        if factors[name]["aliased"] > 0:
            return {
                "verdict": "refused",
                "why": f"Correcting batches would remove what is asked for. {factors[name]['words']}",
            }
    why = "Every contrast of time, arm and tissue can be distinguished from batches."
    patient = factors["patient"]
    if patient["aliased"] > 0:
        why += f" But {count(patient['aliased'], 'contrast')} between patients would be removed with the batches."
    return {"verdict": "allowed", "why": why}


def _verdict(factors: dict[str, dict[str, Any]], n_batches: int) -> tuple[str, str]:
    if n_batches < 2:
        return "one batch", "All samples are of one batch, so that no batch can be mistaken for biology."
    bad = [f for f in QUESTIONS if factors[f]["aliased"] > 0]
    if not bad:
        return "separable", "Batches are balanced enough to be distinguished from time, arm and tissue."
    whole = [f for f in bad if factors[f]["free"] == 0]
    names = listed([f.replace("_or_", " or ").replace("timepoint", "time point") for f in whole or bad])
    if whole:
        return (
            "confounded",
            f"Batches cannot be distinguished from {names}: a difference may be either, and is not corrected.",
        )
    most = max(whole or bad, key=lambda f: factors[f]["aliased"])
    apart = [f"{listed(p['levels'])} in {listed(p['batches'])}" for p in factors[most]["parts"]]
    shown = " | ".join([*apart[:4], *["…"] * (len(apart) > 4)])
    return (
        "partly confounded",
        f"Some levels of {names} were measured only in batches of their own ({shown}): a difference between those may "
        "be one of batches, and is not corrected.",
    )


def _label(value: Any) -> str:
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)
