"""Names of markers as real panels write them, read to the names of one table."""

import pytest

from cimlnk.common.markers import canonical, gene, markers, read_name, usual_role


@pytest.mark.parametrize(
    ("written", "marker"),
    [
        ("173Yb_CD56", "CD56"), ("CD56_Yb176", "CD56"), ("CD56_NCAM", "CD56"), ("163Dy_CD56_NCAM", "CD56"),
        ("CD56 (NCAM)", "CD56"), ("NCAM1", "CD56"), ("CD7(Yb176)Dd", "CD7"), ("CD3(110:114)Dd", "CD3"),
        ("168Er_CD8a", "CD8a"), ("CD8", "CD8a"), ("CD8 APC", "CD8a"), ("HLADR", "HLA-DR"), ("HLA.DR", "HLA-DR"),
        ("CD159a", "NKG2A"), ("CD159c", "NKG2C"), ("CD314", "NKG2D"), ("CD335", "NKp46"), ("CD336", "NKp44"),
        ("CD337", "NKp30"), ("CD226", "DNAM-1"), ("CD279", "PD-1"), ("FcgRIII", "CD16"), ("FcγRIII", "CD16"),
        ("CD158a", "KIR2DL1"), ("CD158b", "KIR2DL2_3"), ("KIR2DL2/L3", "KIR2DL2_3"), ("CD158e", "KIR3DL1"),
        ("103Rh_Live_Dead", "Viability"), ("L/D", "Viability"), ("198Pt_Dead", "Viability"),
        ("Zombie NIR", "Viability"),
        ("DNA-1(Ir191)Dd", "DNA1"), ("Cell_length", "Event_length"), ("TNFα", "TNF"), ("Ki67_Sm152", "Ki-67"),
        ("176Yb_CD127_IL-7Ra", "CD127"), ("CD45RA_La139", "CD45RA"), ("209Bi_CD11b", "CD11b"), ("TCRyd", "TCRgd"),
    ],
)  # fmt: skip
def test_names_of_real_panels_are_understood(written, marker):
    assert canonical(written) == marker


@pytest.mark.parametrize(
    "written", ["131Xe", "BCKG190", "pSTAT5", "CD45_x_unknown_antigen9", "BC1_Pd102", "PE-Cy7-A", ""]
)
def test_what_is_no_marker_of_the_table_is_not_guessed(written):
    assert canonical(written) in (None, "CD45")  # a known part beside an unknown word still names the marker
    if "CD45" not in written:
        assert read_name(written).candidates == ()


@pytest.mark.parametrize(
    ("written", "both"), [("CD235ab_CD61", {"CD235a", "CD61"}), ("CD3_CD19_Pr141", {"CD3", "CD19"})]
)
def test_two_antibodies_in_one_channel_are_told_and_not_chosen_between(written, both):
    reading = read_name(written)
    assert reading.marker is None and set(reading.candidates) == both


def test_every_name_stands_for_one_marker_and_reads_as_itself():
    assert len(markers()) > 120
    for name, marker in markers().items():
        assert canonical(name) == name
        assert [a for a in marker.aliases if canonical(a) != name] == []


def test_roles_and_genes_are_known():
    assert (usual_role("NKG2A"), gene("NKG2A")) == ("maturation", "KLRC1")
    assert usual_role("no marker") is None and gene("DNA1") is None
