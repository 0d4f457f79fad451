"""Build the explorer: pick the cells, pack what is known of each into a few bytes, write one page."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.palette import colours, label, order
from cimlnk.common.tables import read_table
from cimlnk.populations.load import cell_names, columns, common_features
from cimlnk.report.policy import policy

MOST_CELLS = 200_000  # of all modalities together; more would not fit 15 MB, nor a screen
LEVELS = 64  # of a marker: as many shades as an eye tells apart, and packed far smaller than 256
MOST_FEATURES = 60
TOP_QUANTILE = 0.999
FOLDER = Path(__file__).parent
TITLES = {"cytof": "mass cytometry", "flow": "flow cytometry", "rna": "single-cell RNA"}
UNITS = {"cytof": "arcsinh", "flow": "arcsinh", "rna": "log1p"}
PAIRS = {"cytof": ("CD56", "CD16"), "flow": ("CD56", "CD16"), "rna": ("NCAM1", "FCGR3A")}


def shares(sizes: Sequence[int], most: int) -> list[int]:
    """Cells of every modality so that together they are at most `most`: small ones whole, large ones alike."""
    left, result = most, dict.fromkeys(range(len(sizes)), 0)
    for rank, k in enumerate(sorted(result, key=lambda i: sizes[i])):
        result[k] = min(sizes[k], left // (len(sizes) - rank))
        left -= result[k]
    return [result[k] for k in range(len(sizes))]


def pick_rows(n: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `n` rows, evenly spaced, so that every sample keeps its share."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(np.int64)


def pack(
    *,
    name: str,
    files: Sequence[str | Path],
    cells: pd.DataFrame,
    samples: pd.DataFrame,
    features: Sequence[str],
    total: int,
) -> tuple[dict[str, Any], bytes]:
    """What the page says of a modality, and its cells packed (gzip).

    The bytes are, for n cells: x, y, sample (uint16), population, confidence (uint8), every feature (uint8, 0 to 63
    over its range), and the cells' event or barcode, one a line.

    Parameters
    ----------
    name
        ``cytof`` or ``rna``.
    files
        h5ad files of the samples, some of which may hold no cells.
    cells
        Chosen cells in the order of the table CELLS: cell, sample, umap1, umap2, population, confidence.
    samples
        Index sample: patient, day, timepoint, arm, batch, tissue_or_product, nk_per_ul.
    features
        Markers or genes.
    total
        Cells before choosing.
    """
    cells = cells[np.isfinite(cells["umap1"]) & np.isfinite(cells["umap2"])]
    n = len(cells)
    values = np.zeros((n, len(features)), np.float32)
    place = pd.Index(cells["cell"])
    for file in files:
        found = place.get_indexer(pd.Index(cell_names(file)))
        keep = found >= 0
        if keep.any():
            values[found[keep]] = columns(file, features)[keep]
    names = order(cells["population"])
    used = list(dict.fromkeys(cells["sample"]))
    ranges, codes = [], np.zeros((len(features), n), np.uint8)
    for j in range(len(features)):
        low, high = (float(values[:, j].min()), float(np.quantile(values[:, j], TOP_QUANTILE))) if n else (0.0, 1.0)
        high = max(high, float(values[:, j].max()) if n and high <= low else high, low + 1e-6)
        ranges.append((low, high))
        codes[j] = np.clip((values[:, j] - low) / (high - low) * LEVELS, 0, LEVELS - 1)
    xy = cells[["umap1", "umap2"]].to_numpy(float)
    middle = (xy.max(axis=0) + xy.min(axis=0)) / 2 if n else np.zeros(2)
    width = float((xy.max(axis=0) - xy.min(axis=0)).max()) if n else 1.0
    at = np.clip(((xy - middle) / (width or 1.0) + 0.5) * 65535, 0, 65535).astype("<u2")
    confidence = np.clip(np.nan_to_num(cells["confidence"].to_numpy(float)) * 255, 0, 255).astype(np.uint8)
    ids = "\n".join(c.rsplit(":", 1)[1] for c in cells["cell"])
    parts = (
        at[:, 0], at[:, 1], pd.Index(used).get_indexer(cells["sample"]).astype("<u2"),
        pd.Index(names).get_indexer(cells["population"]).astype(np.uint8), confidence, codes,
    )  # fmt: skip
    info = {
        "name": name, "title": TITLES[name], "n": n, "total": total, "unit": UNITS[name], "populations": names,
        "labels": [label(p) for p in names],
        "features": [
            {"name": f, "low": round(a, 3), "high": round(b, 3)} for f, (a, b) in zip(features, ranges, strict=True)
        ],
        "pair": [features.index(p) if p in features else min(k, len(features) - 1) for k, p in enumerate(PAIRS[name])],
        "samples": [_sample(s, samples.loc[s]) for s in used],
    }  # fmt: skip
    raw = b"".join(np.ascontiguousarray(p).tobytes() for p in parts) + ids.encode()
    return info, gzip.compress(raw, compresslevel=6, mtime=0)


def _sample(name: str, row: pd.Series) -> dict[str, Any]:
    counted = row.get("nk_per_ul", np.nan)
    return {
        "sample": name, "patient": str(row["patient"]), "day": int(row["day"]), "arm": str(row["arm"]),
        "batch": str(row["batch"]), "tissue": str(row["tissue_or_product"]),
        "nk_per_ul": None if pd.isna(counted) else round(float(counted), 3),
    }  # fmt: skip


def write_explorer(
    *,
    modalities: Mapping[str, Mapping[str, Any]],
    samples: str | Path,
    abundance: str | Path,
    title: str,
    output: str | Path,
) -> None:
    """Write the page; complete without a network, the same bytes in every run.

    Parameters
    ----------
    modalities
        Name -> ``files`` (h5ad of the samples), ``cells``, ``populations``, ``umap``, ``profiles`` (tables).
    samples, abundance
        SAMPLES; ABUNDANCE for NK/µL.
    title
        Of the cohort.
    output
        The HTML file.
    """
    from jinja2 import Environment, FileSystemLoader
    from markupsafe import Markup

    sheet = read_table(samples)
    counted = read_table(abundance)
    counted = counted[counted["population"] == "NK"].dropna(subset=["sample"]).drop_duplicates("sample")
    sheet = sheet.set_index("sample").join(counted.set_index("sample")["nk_per_ul"])
    tables = {m: _cells(f) for m, f in modalities.items()}
    tables = {m: t for m, t in tables.items() if len(t)}
    allowed = shares([len(t) for t in tables.values()], MOST_CELLS)
    infos, packed = [], []
    for (name, table), most in zip(tables.items(), allowed, strict=True):
        own = modalities[name]
        chosen = table.iloc[pick_rows(len(table), most)].reset_index(drop=True)
        info, data = pack(
            name=name, files=own["files"], cells=chosen, samples=sheet, total=len(table),
            features=_features(own["files"], own["profiles"]),
        )  # fmt: skip
        infos.append(info)
        packed.append((name, base64.b64encode(data).decode()))
    seen = [s for info in infos for s in info["samples"]]
    populations = order({p for info in infos for p in info["populations"]})
    shades = {"population": colours(populations)}
    for key in ("patient", "arm", "batch"):
        shades[key] = colours(sorted({s[key] for s in seen}))
    days = sorted({s["day"] for s in seen})
    meta = {
        "levels": LEVELS, "modalities": infos, "colours": shades, "days": days,
        "blood_days": sorted({s["day"] for s in seen if s["tissue"] == "blood"}),
    }  # fmt: skip
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True)
    # JSON inside a script element: "<" could end it, and is written as its escape
    text = json.dumps(meta, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    script = (FOLDER / "explorer.js").read_text(encoding="utf-8")
    page = environment.get_template("page.html").render(
        title=title, back=True, meta=Markup(text), packed=packed, script=Markup(script), policy=policy(script),
    )  # fmt: skip
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(page, encoding="utf-8")


def _cells(files: Mapping[str, Any]) -> pd.DataFrame:
    named = pd.read_parquet(files["populations"], columns=["cell", "sample", "population", "confidence"])
    umap = pd.read_parquet(files["umap"], columns=["cell", "umap1", "umap2"])
    if len(named) == len(umap) and (named["cell"].to_numpy() == umap["cell"].to_numpy()).all():
        return named.assign(umap1=umap["umap1"], umap2=umap["umap2"])
    return named.merge(umap, on="cell", validate="one_to_one")


def _features(files: Sequence[str | Path], profiles: str | Path) -> list[str]:
    """Features of the profiles that every sample has, those that differ most between populations first to be kept."""
    table = read_table(profiles)
    table = table[(table["level"] == "population") & table["feature"].isin(set(common_features(files)))]
    spread = table.groupby("feature")["mean"].agg(lambda v: v.max() - v.min())
    kept = spread.sort_values(ascending=False, kind="stable").index[:MOST_FEATURES]
    return sorted(kept, key=str.lower)
