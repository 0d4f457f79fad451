"""The same person on two days by genotype, on planted truth: swapped numbers, one donor only, nothing shared."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.donors.barcodes import same_barcodes
from cimlnk.donors.evidence import antibody_traits, by_second
from cimlnk.donors.genotypes import compare, read_vcf
from cimlnk.donors.run import make_donors
from genotype_mix import barcode, child_of, people, pooled_calls, write_souporcell, write_vcf

N_SITES = 800


def library(folder, sample, row, sizes, genotypes, *, seed, first=0, chromosome="1"):
    """Write one library's clusters.tsv and cluster_genotypes.vcf; `genotypes` are cluster -> person's genotypes."""
    write_souporcell(folder / f"{sample}.tsv", sizes, doublets=5, unassigned=2)
    called = {c: pooled_calls(g, sizes[c], seed + int(c)) for c, g in genotypes.items()}
    write_vcf(folder / f"{sample}.vcf", called, first, chromosome=chromosome)
    place = {"calls": str(folder / f"{sample}.tsv"), "genotypes": str(folder / f"{sample}.vcf")}
    return row(sample=sample, tool="souporcell", calls=f"{sample}.tsv", genotypes=f"{sample}.vcf"), place


def run(libraries, facts, settings, persons=(), references=None):
    rows = [r for r, _ in libraries]
    places = {r["sample"]: p for r, p in libraries}
    return make_donors(rows, places, list(persons), references=references, samples=facts, cells={}, settings=settings)


def who(matches):
    return {(r.sample, r.label): r.person for r in matches.itertuples()}


def test_swapped_cluster_numbers_are_put_right(tmp_path, row, facts, settings):
    a, b = people(2, N_SITES)
    libraries = [
        library(tmp_path, "pre", row, {"0": 900, "1": 600}, {"0": a, "1": b}, seed=1),
        library(tmp_path, "late", row, {"0": 400, "1": 800}, {"0": b, "1": a}, seed=11, chromosome="chr1"),
    ]
    _, matches, comparisons = run(libraries, facts(("pre", "P1", -5), ("late", "P1", 28)), settings)
    found = who(matches)
    assert found["pre", "0"] == found["late", "1"] and found["pre", "1"] == found["late", "0"]
    assert found["pre", "0"] != found["pre", "1"]
    assert set(matches["method"]) == {"genotype"} and (matches["concordance"] > 0.75).all()
    assert comparisons["same"].sum() == 2


def test_reference_genotypes_name_the_persons(tmp_path, row, facts, settings):
    a, b = people(2, N_SITES)
    libraries = [library(tmp_path, "d7", row, {"0": 500, "1": 500}, {"0": b, "1": a}, seed=1)]
    sure = {n: (g.astype(float), np.full(N_SITES, 20), np.full(N_SITES, 20)) for n, g in (("Ada", a), ("Bo", b))}
    reference = write_vcf(tmp_path / "known.vcf", sure)
    persons = [{"patient": "P1", "person": "Ada", "role": "recipient", "sex": None, "antibody": None},
               {"patient": "P1", "person": "Bo", "role": "donor", "sex": None, "antibody": None}]  # fmt: skip
    _, matches, _ = run(libraries, facts(("d7", "P1", 7)), settings, persons, reference)
    assert who(matches) == {("d7", "0"): "Bo", ("d7", "1"): "Ada"}
    assert matches["role"].tolist() == ["donor", "recipient"]


def test_a_haploidentical_donor_is_not_taken_for_the_recipient(tmp_path, row, facts, settings):
    parent, other = people(2, N_SITES)
    child = child_of(parent, other)
    libraries = [
        library(tmp_path, "pre", row, {"0": 800, "1": 700}, {"0": parent, "1": child}, seed=1),
        library(tmp_path, "late", row, {"0": 700, "1": 800}, {"0": child, "1": parent}, seed=11),
    ]
    _, matches, comparisons = run(libraries, facts(("pre", "P1", -5), ("late", "P1", 28)), settings)
    found = who(matches)
    assert found["pre", "0"] == found["late", "1"] != found["pre", "1"] == found["late", "0"]
    # what by inheritance alone cannot happen in unrelated people: barely a site is opposite
    related = comparisons[~comparisons["same"]]
    assert related["opposite"].max() < 0.12 and related["concordance"].max() < settings["min_concordance"]


def test_one_donor_forced_into_two_clusters_is_one_person(tmp_path, row, facts, settings):
    """The null: a program told to find two finds two."""
    a, _ = people(2, N_SITES)
    libraries = [
        library(tmp_path, "pre", row, {"0": 700, "1": 700}, {"0": a, "1": a}, seed=1),
        library(tmp_path, "late", row, {"0": 600, "1": 800}, {"0": a, "1": a}, seed=11),
    ]
    _, matches, _ = run(libraries, facts(("pre", "P1", -5), ("late", "P1", 28)), settings)
    assert matches["person"].nunique() == 1 and matches["person"].notna().all()


def test_a_new_person_is_a_new_person(tmp_path, row, facts, settings):
    a, b, c = people(3, N_SITES)
    libraries = [
        library(tmp_path, "pre", row, {"0": 700, "1": 700}, {"0": a, "1": b}, seed=1),
        library(tmp_path, "late", row, {"0": 700, "1": 700}, {"0": c, "1": a}, seed=11),
    ]
    found = who(run(libraries, facts(("pre", "P1", -5), ("late", "P1", 28)), settings)[1])
    assert found["pre", "0"] == found["late", "1"]
    assert len(set(found.values())) == 3 and None not in found.values()


def test_unrelated_samples_without_shared_sites_stay_apart_and_say_why(tmp_path, row, facts, settings):
    a, b = people(2, N_SITES)
    libraries = [
        library(tmp_path, "pre", row, {"0": 700, "1": 700}, {"0": a, "1": b}, seed=1),
        library(tmp_path, "late", row, {"0": 700, "1": 700}, {"0": a, "1": b}, seed=11, first=10 * N_SITES),
    ]
    _, matches, _ = run(libraries, facts(("pre", "P1", -5), ("late", "P1", 28)), settings)
    assert matches["person"].isna().all()
    assert matches["reason"].str.contains("0 sites shared with another file").all()


def test_too_few_reads_decide_nothing(tmp_path, row, facts, settings):
    a, b = people(2, N_SITES)
    libraries = [
        library(tmp_path, "pre", row, {"0": 700, "1": 30}, {"0": a, "1": b}, seed=1),
        library(tmp_path, "late", row, {"0": 700, "1": 700}, {"0": b, "1": a}, seed=11),
    ]
    found = who(run(libraries, facts(("pre", "P1", -5), ("late", "P1", 28)), settings)[1])
    assert found["pre", "0"] == found["late", "1"] is not None
    assert found["pre", "1"] is None


def test_donor_that_is_the_batch_gives_each_day_its_own_person(tmp_path, row, facts, settings):
    """Every file holds one person, and another one: nothing is joined, whatever the numbers say."""
    a, b = people(2, N_SITES)
    libraries = [
        library(tmp_path, "pre", row, {"0": 900}, {"0": a}, seed=1),
        library(tmp_path, "late", row, {"0": 900}, {"0": b}, seed=11),
    ]
    found = who(run(libraries, facts(("pre", "P1", -5), ("late", "P1", 28)), settings)[1])
    assert found["pre", "0"] != found["late", "0"]


def test_without_evidence_days_are_not_joined(tmp_path, row, facts, settings):
    libraries = []
    for sample in ("pre", "late"):
        write_souporcell(tmp_path / f"{sample}.tsv", {"0": 50, "1": 50})
        place = {"calls": str(tmp_path / f"{sample}.tsv")}
        libraries.append((row(sample=sample, tool="souporcell", calls=f"{sample}.tsv"), place))
    calls, matches, _ = run(libraries, facts(("pre", "P1", -5), ("late", "P1", 28)), settings)
    assert matches["person"].isna().all() and calls["person"].isna().all()
    assert matches["reason"].str.contains("drawn again for every file").all()


def test_exchanged_samples_of_two_patients_show(tmp_path, row, facts, settings):
    a, b, c, d = people(4, N_SITES)
    libraries = [
        library(tmp_path, "x_pre", row, {"0": 700, "1": 700}, {"0": a, "1": b}, seed=1),
        library(tmp_path, "y_pre", row, {"0": 700, "1": 700}, {"0": c, "1": d}, seed=11),
        library(tmp_path, "y_late", row, {"0": 700, "1": 700}, {"0": b, "1": a}, seed=21),
    ]
    _, _, comparisons = run(libraries, facts(("x_pre", "X", -5), ("y_pre", "Y", -5), ("y_late", "Y", 28)), settings)
    crossed = comparisons[comparisons["same"]]
    assert {(r.sample, r.other_sample) for r in crossed.itertuples()} == {("x_pre", "y_late")}


def test_genotype_and_independent_call_that_disagree_leave_nobody_named(tmp_path, row, facts, settings):
    a, b = people(2, N_SITES)
    libraries = []
    for sample, seed in (("pre", 1), ("late", 11)):
        one, place = library(tmp_path, sample, row, {"0": 700, "1": 700}, {"0": a, "1": b}, seed=seed)
        # the table of the late day calls genotype a by the name of b
        names = ("D1", "D2") if sample == "pre" else ("D2", "D1")
        lines = ["cell\tdonor", *(f"{barcode(i)}\t{names[i >= 700]}" for i in range(1400))]
        (tmp_path / f"{sample}_mito.tsv").write_text("\n".join(lines) + "\n")
        libraries.append((one | {"second": "mito"}, place | {"second": str(tmp_path / f"{sample}_mito.tsv")}))
    _, matches, _ = run(libraries, facts(("pre", "P1", -5), ("late", "P1", 28)), settings)
    assert matches["person"].isna().all() and matches["conflict"].notna().all()


def test_the_product_says_who_is_the_donor(tmp_path, row, facts, settings):
    a, b = people(2, N_SITES)
    libraries = [
        library(tmp_path, "product", row, {"0": 1500}, {"0": b}, seed=1),
        library(tmp_path, "d14", row, {"0": 700, "1": 700}, {"0": a, "1": b}, seed=11),
    ]
    own = facts(("product", "P1", 0, "product"), ("d14", "P1", 14))
    matches = run(libraries, own, settings | {"design": "third_party"})[1].set_index(["sample", "label"])
    assert matches.loc[("d14", "1"), "role"] == "donor"
    assert "product" in matches.loc[("d14", "1"), "role_source"]
    assert matches.loc[("d14", "0"), "role"] == "recipient"  # the other one of two


def test_sex_genes_name_labels_where_the_sheet_says_how_the_two_differ(tmp_path, row, facts, settings):
    from cimlnk.donors.persons import name_labels

    calls = {}
    for sample in ("pre", "late"):
        write_souporcell(tmp_path / "c.tsv", {"0": 50, "1": 50})
        calls[sample] = make_calls(tmp_path / "c.tsv")
    sexes = {
        ("pre", "0"): (300.0, 2.0),
        ("pre", "1"): (1.0, 250.0),
        ("late", "0"): (0.0, 90.0),
        ("late", "1"): (80.0, 60.0),
    }
    persons = [{"patient": "P1", "person": "mother", "role": "recipient", "sex": "female", "antibody": None},
               {"patient": "P1", "person": "son", "role": "donor", "sex": "male", "antibody": None}]  # fmt: skip
    rows = {s: row(sample=s, tool="souporcell") for s in calls}
    own = facts(("pre", "P1", -5), ("late", "P1", 28))
    matches, _ = name_labels(
        calls, rows, own, persons=persons, genotypes={}, references=None, sexes=sexes, settings=settings
    )
    assert who(matches) == {("pre", "0"): "mother", ("pre", "1"): "son", ("late", "0"): "son", ("late", "1"): None}
    assert matches["sex"].tolist() == ["female", "male", "male", "mixed"]


def make_calls(path):
    from cimlnk.donors.calls import read_calls

    return read_calls(path, "souporcell").assign(second=None, antibody=np.nan, cell=None)


def test_an_antibody_tells_two_labels_apart_only_where_they_are_well_apart():
    import pandas as pd

    rng = np.random.default_rng(0)
    label = pd.Series(["0"] * 200 + ["1"] * 200)
    level = pd.Series(np.concatenate([rng.normal(0, 1, 200), rng.normal(4, 1, 200)]))
    assert antibody_traits(label, level, ["0", "1"], min_cells=10) == {"0": "no", "1": "binds"}
    same = pd.Series(rng.normal(0, 1, 400))
    assert antibody_traits(label, same, ["0", "1"], min_cells=10) == {"0": None, "1": None}


def test_an_independent_call_needs_cells_and_agreement():
    import pandas as pd

    label = pd.Series(["0"] * 40 + ["1"] * 40)
    mixed = pd.Series(["A"] * 38 + ["B"] * 2 + ["A"] * 20 + ["B"] * 20)
    found = by_second(["0", "1"], label, mixed, min_cells=10, min_agreement=0.8)
    assert found["0"].person == "A" and found["1"].person is None and "50%" in str(found["1"].reason)
    few = by_second(["0", "1"], label[:45], mixed[:45], min_cells=10, min_agreement=0.8)
    assert few["1"].person is None and "fewer than donors.min_cells" in str(few["1"].reason)


VCF = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t0\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n", "no sample columns"),
        ("chr1\t5\n", "the header #CHROM"),
        ("##fileformat=VCFv4.2\n", "no line #CHROM"),
        (
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t0\n1\t5\t.\tA\tG\t.\t.\t.\tAD:DP\t1:2\n",
            "genotypes (GT)",
        ),
        (
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t0\n1\t5\t.\tA\tG\t.\t.\t.\tGT\n",
            "9 fields, expected 10",
        ),
    ],
)
def test_a_wrong_vcf_is_told_in_one_line(tmp_path, text, words):
    (tmp_path / "g.vcf").write_text(text)
    with pytest.raises(UserError) as caught:
        read_vcf(tmp_path / "g.vcf", "g.vcf")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_vcf_of_another_library_is_told(tmp_path, row, facts, settings):
    one, place = library(tmp_path, "pre", row, {"0": 9, "1": 9}, {"0": people(1, 5)[0]}, seed=1)
    with pytest.raises(UserError, match="pre.vcf: samples: found '1', expected a label of pre.tsv"):
        run([(one, place)], facts(("pre", "P1", -5)), settings)


def test_allele_counts_and_depth_come_from_any_dialect(tmp_path):
    head = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB\n"
    body = "1\t5\t.\tA\tG\t.\t.\t.\tGT:AO:RO\t0/1:3:4\t./.:.:.\n2\t6\t.\tA\tG,T\t.\t.\t.\tGT\t0/1\t1/2\n"
    (tmp_path / "g.vcf").write_text(head + body + "3\t7\t.\tA\tG\t.\t.\t.\tGT:AD\t1|1:0,9\t0|0:5,0\n")
    found = read_vcf(tmp_path / "g.vcf")
    assert list(found.sites) == ["1:5:A:G", "3:7:A:G"]
    np.testing.assert_array_equal(found.alt, [[1, np.nan], [2, 0]])
    np.testing.assert_array_equal(found.depth, [[7, 0], [9, 5]])
    n, same, opposite = compare(found, found, 1)
    assert n.tolist() == [[2, 1], [1, 0]] and same[0, 0] == 1 and opposite[0, 1] == 1


def test_barcodes_with_and_without_the_number_of_the_library():
    assert same_barcodes(["A-1", "C-1"], ["C-1", "A-1", "G-1"], "f", of="s").tolist() == [1, 0]
    assert same_barcodes(["A-1", "C-1"], ["C", "G"], "f", of="s").tolist() == [-1, 0]
    with pytest.raises(UserError, match="is it this sample's file"):
        same_barcodes(["A-1"], ["T-1"], "f", of="s")
    with pytest.raises(UserError):  # without the number they would not be unique
        same_barcodes(["A-3"], ["A-1", "A-2"], "f", of="s")
