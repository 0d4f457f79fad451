"""Lineages of published mass cytometry against fixed cuts on the raw files, with the shipped defaults."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from cimlnk.cohort.config import fill_defaults
from cimlnk.cytof.cells import summarise
from cimlnk.cytof.gating.pool import make_pool
from cimlnk.cytof.gating.read import read_sample
from cimlnk.cytof.gating.sample import gate_sample
from cimlnk.cytof.lineage.batch import load_batch
from cimlnk.cytof.lineage.call import call_lineages
from cimlnk.cytof.lineage.markers import LINEAGES
from cimlnk.cytof.lineages import make_lineages

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data"))
GATES = ROOT / "resources" / "gates" / "nk.yaml"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (DATA / "cytof_bcrxl").is_dir(), reason=f"no test data at {DATA} (CIMLNK_TEST_DATA)"),
]
DEFAULTS = fill_defaults({}, yaml.safe_load((ROOT / "workflow/schemas/config/cytof.schema.yaml").read_text()))
# arcsinh(x/5): CD3 < 1.5, CD7 > 2.5, CD14 < 1.5, HLA-DR < 2, CD45 > 2, the same cuts in every file
REFERENCE = {"021_1": 14, "021_2": 39, "026_1": 15, "026_2": 44, "028_1": 11, "028_2": 40, "034_1": 8, "034_2": 37}


def run(folder, files, batches, panel, **more):
    """Per sample (SUMMARY row, share of called NK cells above ten counts by marker); and the lineages' path."""
    settings = DEFAULTS | more
    pool, lineages = folder / "pool.json", folder / "lineages.npz"
    make_pool(files, batches, panel, gates=GATES, output=pool, settings=settings, seed=1, until="live")
    shared = {"panel": panel, "gate_file": GATES, "pool": pool, "settings": settings, "seed": 1}
    make_lineages(files=files, batches=batches, output=lineages, **shared)
    counts, above = {}, {}
    for sample, path in files.items():
        data = read_sample(path, panel, settings)
        args = {"gates": GATES, "pool": pool, "settings": settings, "seed": 1}
        gated, course = gate_sample(data, sample, batches[sample], **args, lineages=lineages)
        counts[sample] = summarise(gated, course)
        for marker in ("CD3", "CD19", "CD14", "CD34"):
            channel = data.matched.of_marker(marker)
            if channel is not None:
                over = data.scaled[gated.chosen, channel.column] > np.arcsinh(10 / channel.cofactor)
                above.setdefault((batches[sample], marker), []).append(over)
    return counts, {k: float(np.concatenate(v).mean()) for k, v in above.items()}, lineages


def no_cut_in_the_noise(lineages, batch):
    found, _ = load_batch(lineages, batch)
    low = found.cuts.low[np.isfinite(found.cuts.low)]
    return (low >= found.noise[np.isfinite(found.cuts.low)] - 1e-6).all()


def test_two_volunteers_in_four_runs(tmp_path):
    files = {p.stem[10:13] + p.stem[-2:]: p for p in sorted((DATA / "cytof_batch_cytonorm").glob("*.fcs"))}
    assert set(files) == set(REFERENCE)
    batches = {s: s[:3] for s in files}
    counts, above, lineages = run(tmp_path, files, batches, ROOT / "resources/panels/cytonorm.tsv")
    for sample, wanted in REFERENCE.items():
        assert abs(counts[sample]["n_nk"] - wanted) <= max(5, 0.3 * wanted), sample
    for batch in sorted(set(batches.values())):
        assert 2 < counts[f"{batch}_2"]["n_nk"] / counts[f"{batch}_1"]["n_nk"] < 6
        assert no_cut_in_the_noise(lineages, batch)
        # (CD19 is stained on every cell of this set, T cells and neutrophils too: 100 counts, and no lineage for it)
        assert above[batch, "CD3"] < 0.08 and above[batch, "CD14"] < 0.08


def test_two_batches_pre_gated_and_without_t_cells(tmp_path):
    files = {p.stem: p for p in sorted((DATA / "cytof_imubac_2batches" / "fcs").glob("*.fcs"))}
    batches = {s: s[:6] for s in files}
    counts, above, lineages = run(tmp_path, files, batches, ROOT / "resources/panels/imubac.tsv")
    for batch in ("Data23", "Data29"):
        own = [counts[s] for s in files if batches[s] == batch]
        assert 0.005 < sum(c["n_nk"] for c in own) / sum(c["n_live_singlets"] for c in own) < 0.4
        assert all(share < 0.08 for (b, _), share in above.items() if b == batch)
        assert no_cut_in_the_noise(lineages, batch)


def test_nk_cells_do_not_depend_on_bright_monocytes(tmp_path):
    panel = ROOT / "resources/panels/mdipa.tsv"
    files = {"raw": DATA / "cytof_mdipa_raw_beads" / "raw_cytof.fcs"}
    counts, above, lineages = run(tmp_path, files, {"raw": "b"}, panel)
    assert 0.07 < counts["raw"]["n_nk"] / counts["raw"]["n_live_singlets"] < 0.14
    assert all(share < 0.08 for share in above.values()) and no_cut_in_the_noise(lineages, "b")
    with np.load(lineages) as z:
        values, markers, nk = z["values"], z["markers"].tolist(), z["lineage"] == LINEAGES.index("NK")
    for bright in (2.0, 3.0):
        rest = values[:, markers.index("CD14")] < bright
        again = call_lineages(values[rest], markers, [5.0] * len(markers)).lineage == LINEAGES.index("NK")
        assert (again & nk[rest]).sum() / nk[rest].sum() >= 0.95


def test_a_panel_without_cd56(tmp_path):
    files = {p.stem: p for p in sorted((DATA / "cytof_bcrxl" / "fcs").glob("*.fcs"))}
    panel = ROOT / "resources" / "panels" / "bcrxl.tsv"
    more = {"input_scale": "compensated", "nk_identity": "CD7"}
    counts, above, _ = run(tmp_path, files, dict.fromkeys(files, "all"), panel, **more)
    shares = [c["n_nk"] / c["n_events"] for c in counts.values()]
    assert len(shares) == 16 and min(shares) >= 0.03 and max(shares) <= 0.225
    assert all(share < 0.08 for share in above.values())
