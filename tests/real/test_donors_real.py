"""Real outputs of vireo, souporcell and demuxlet with known answers.

vireo: 952 cells of four people, mixed so that the barcode's suffix says whose each is (and D, a mixed doublet; S, a
doublet of one person). souporcell: one patient on days 14 and 19, whose cluster numbers swap, with a call by
mitochondrial variants beside it (Lareau 2023). demuxlet: three pools, of which the first two share nobody (Kang 2018).
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from cimlnk.cohort.config import resolve
from cimlnk.donors.calls import read_calls
from cimlnk.donors.run import make_donors

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data"))
VIREO, SOUPORCELL, DEMUXLET = DATA / "demux_vireo_demo", DATA / "demux_souporcell_cd7cart", DATA / "demux_demuxlet_jy"
EMPTY = dict.fromkeys(("column", "barcodes", "labels", "genotypes", "second", "second_column", "antibody"))

pytestmark = pytest.mark.skipif(not VIREO.is_dir(), reason=f"no donor calls at {DATA} (CIMLNK_TEST_DATA)")


def run(rows, places, days, references=None):
    settings = resolve({"cohort": {"id": "t", "samples": "config/samples/demo.tsv"}}, ROOT)["donors"]
    facts = pd.DataFrame(
        [{"sample": s, "patient": "P1", "day": d, "timepoint": f"D{d}", "arm": "CIML", "tissue_or_product": "blood"}
         for s, d in days.items()]
    )  # fmt: skip
    return make_donors(
        [EMPTY | r for r in rows], places, [], references=references, samples=facts, cells={}, settings=settings
    )


def vireo(*runs, reference=True, genotypes=True):
    rows = [{"sample": r, "tool": "vireo", "calls": r} for r in runs]
    places = {r: {"calls": str(VIREO / "out" / r / "donor_ids.tsv")} for r in runs}
    for r in runs if genotypes else ():
        if r != "withGT":
            places[r]["genotypes"] = str(VIREO / "out" / r / "GT_donors.vireo.vcf.gz")
    known = VIREO / "donors.cellSNP.vcf.gz" if reference else None
    return run(rows, places, {r: i for i, r in enumerate(runs)}, known)


def test_numbers_that_vireo_drew_anew_are_named_by_reference_genotypes():
    calls, matches, _ = vireo("noGT", "partGT", "withGT")
    named = {(r.sample, r.label): r.person for r in matches.itertuples()}
    planted = {"donor0": "MantonCB4", "donor1": "MantonCB2", "donor2": "MantonCB1", "donor3": "MantonCB3"}
    assert {k: v for (s, k), v in named.items() if s == "noGT"} == planted
    assert named["partGT", "donor2"] == "MantonCB1" and named["partGT", "MantonCB4"] == "MantonCB4"
    assert matches["conflict"].isna().all() and matches["concordance"].dropna().min() > 0.8
    assert matches["runner_up"].dropna().max() < 0.4
    suffix = calls["barcode"].str.extract(r"-(\d)([DS]?)$")
    sure = (calls["status"] == "singlet") & (suffix[1] == "")
    right = calls["person"] == "MantonCB" + suffix[0]
    share = right[sure].groupby(calls.loc[sure, "sample"]).mean()
    assert share["withGT"] == 1.0 and share.min() > 0.99  # vireo's own errors, none of the names
    counted = calls.groupby(["sample", "status"]).size()
    assert counted["withGT"].to_dict() == {"doublet": 34, "singlet": 916, "unassigned": 2}


def test_two_runs_of_vireo_are_joined_without_a_reference():
    _, matches, _ = vireo("noGT", "partGT", reference=False)
    named = {(r.sample, r.label): r.person for r in matches.itertuples()}
    for a, b in {"donor0": "MantonCB4", "donor1": "MantonCB2", "donor2": "donor2", "donor3": "donor3"}.items():
        assert named["noGT", a] == named["partGT", b] is not None
    assert len({named["noGT", f"donor{i}"] for i in range(4)}) == 4


def souporcell(second):
    rows, places = [], {}
    for day in (14, 19):
        rows.append({"sample": f"d{day}", "tool": "souporcell", "calls": f"CD7_Day{day}_clusters.tsv"})
        places[f"d{day}"] = {"calls": str(SOUPORCELL / rows[-1]["calls"])}
        if second:
            rows[-1] |= {"second": f"Day{day}_mitoSNPassignments.tsv", "second_column": "assign"}
            places[f"d{day}"]["second"] = str(SOUPORCELL / rows[-1]["second"])
    return run(rows, places, {"d14": 14, "d19": 19})


def test_swapped_clusters_are_put_right_by_the_mitochondrial_call():
    calls, matches, _ = souporcell(second=True)
    named = {(r.sample, r.label): r.person for r in matches.itertuples()}
    assert named == {("d14", "0"): "D1", ("d14", "1"): "D2", ("d19", "0"): "D2", ("d19", "1"): "D1"}
    singlets = calls[calls["status"] == "singlet"]
    share = (singlets["person"] == "D2").groupby(singlets["sample"]).mean()
    assert share.round(3).to_dict() == {"d14": 0.032, "d19": 0.224}  # by cluster number .032 and .776


def test_without_the_mitochondrial_call_no_day_is_joined_to_the_other():
    calls, matches, _ = souporcell(second=False)
    assert matches["person"].isna().all() and calls["person"].isna().all()
    assert matches["reason"].str.contains("days are not joined").all()


@pytest.mark.parametrize(("pool", "numbers"), [("a", (3514, 117, 8)), ("b", (4091, 126, 28)), ("c", (5795, 313, 37))])
def test_demuxlet_names_every_barcode(pool, numbers):
    found = read_calls(DEMUXLET / f"jy-{pool}.seqaggr.eagle.10.sm.best", "demuxlet")
    counted = found["status"].value_counts()
    assert tuple(counted[k] for k in ("singlet", "doublet", "ambiguous")) == numbers
    barcodes = (DEMUXLET / f"jy{pool}.barcodes.tsv").read_text().split()
    # of pool b demuxlet wrote no row for one of the cells
    assert set(found["barcode"]) <= set(barcodes) and len(barcodes) - len(found) == (pool == "b")
    assert found["label"].dropna().map(type).eq(str).all()  # ids that are numbers stay text
