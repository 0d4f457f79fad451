"""What the check says of files: their events, cells, hashtags and what their preparation needs."""

from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp

from cimlnk.front.check_events import Events
from cimlnk.front.check_files import _antibodies, look_at_events, look_at_rna
from cimlnk.front.check_preparation import look_at_preparation
from cimlnk.front.check_sheets import look_at_antibodies
from cimlnk.front.findings import STOP, WARN, Findings
from cimlnk.rna.counts import AntibodyCounts


def test_hashtags_that_nobody_called_are_told_with_the_way_and_calls_are_counted(tmp_path):
    tags = AntibodyCounts(sp.csr_matrix((3, 3)), np.array(["CD56", "Hashtag1", "Hashtag2"], object))
    counts = SimpleNamespace(antibodies=tags)
    findings = Findings()
    _antibodies(counts, "pool", findings, told=False)
    (warned,) = findings.of(WARN)
    assert "2 hashtags (Hashtag1, Hashtag2)" in warned and "rna.antibodies" in warned
    _antibodies(counts, "mine", findings, told=True)
    assert len(findings.of(WARN)) == 1
    cells = ["AAAACCCCGGGG-1", "AAAATTTTGGGG-1", "CCCCTTTTGGGG-1"]
    path = tmp_path / "calls.csv"
    path.write_text("barcode,hashtag\n" + "\n".join(f"{c},H{1 + (i > 1)}" for i, c in enumerate(cells)))
    given = {s: {"hashtags": str(path), "hashtag": h} for s, h in (("a", "H1"), ("b", "H2"), ("c", "H3"))}
    look_at_antibodies(given, dict.fromkeys("abc", cells), findings)
    assert findings.tables["Samples within one file"]["cells"].tolist() == [2, 1]
    assert "c would be left out" in findings.of(WARN)[-1] and "'H3'" in findings.of(WARN)[-1]


def test_events_of_another_sample_and_no_numbers_are_told(tmp_path):
    rng = np.random.default_rng(3)
    one, two = rng.poisson(6, (2, 400, 12)).astype(np.float32)
    names = [f"c{i}" for i in range(12)]
    for sample, events, shared in (
        ("again", one[::-1], True),  # in another order
        ("half", one[:150], True),
        ("mixed", np.concatenate([two, one])[:500], True),
        ("own", two, False),
        ("plain", np.where(np.arange(12) < 3, one, 0), False),  # three values are nobody's own
    ):
        for name, values in (("a", one), (sample, events)):
            (tmp_path / name).write_bytes(values.tobytes() + name.encode())
        known, findings = Events(), Findings()
        known.add("a", tmp_path / "a", one, names=names, findings=findings)
        known.add(sample, tmp_path / sample, events, names=names, findings=findings)
        assert [f"sample {sample} holds events of sample a" in t for t in findings.of(WARN)] == [True] * shared, sample
    known, findings = Events(), Findings()
    known.add("a", tmp_path / "a", one, names=names, findings=findings)
    known.add("b", tmp_path / "a", one, names=names, findings=findings)  # a pool
    known.add(
        "c", tmp_path / "c", np.where(np.eye(400, 12) == 1, np.nan, two)[:, :2], names=names[:2], findings=findings
    )
    known.tell(findings, 3)
    assert [t.split(" has")[0] for t in findings.of(WARN)] == ["c0", "c1"]
    none, findings = Findings(), Findings()
    look_at_events({"a": 0, "b": 20}, 300, none)
    assert (
        "no events in 1 file (a)" in none.of(WARN)[0] and "b: 20" in none.of(WARN)[1] and "a:" not in none.of(WARN)[1]
    )


def test_files_with_too_few_events_or_cells_are_said(tmp_path):
    findings = Findings()
    look_at_events({"a": 1, "b": 299, "c": 300}, 300, findings)
    (text,) = findings.of(WARN)
    assert "fewer than 300 events (cytof.minimum_events) in 2 files (a: 1 event and b: 299 events)" in text


def test_a_sample_of_fewer_cells_than_nk_cells_are_needed_is_said(lab):
    findings = Findings()
    row = {"sample": "few", "path": lab.folder}
    look_at_rna([row], [], findings, least=10**6)
    assert "(rna.nk.min_cells)" in findings.of(WARN)[0] and "would be left out: its file holds" in findings.of(WARN)[0]
    assert findings.stops


def test_preparation_without_its_channels_is_one_line_and_stops_where_no_file_has_them(tmp_path):
    def header(*names, markers=None):
        named = list(markers or names)
        return SimpleNamespace(channels=list(names), markers=named, swapped=False, path=tmp_path / "a.fcs")

    whole = ["Time", "Ir191Di", "Ir193Di", "Ce140Di", "Eu151Di", "Pd102Di", "Pd104Di"]
    beads = {"enabled": True, "masses": [140, 151], "dna": [191, 193]}
    (tmp_path / "key.tsv").write_text("sample\t102\t104\t105\nx\t1\t0\t1\ny\t0\t1\t1\n")
    off = {"enabled": False}
    settings = {"bead_normalisation": beads, "debarcoding": off, "spillover": off}

    def told(headers, **steps):
        findings = Findings()
        look_at_preparation(headers, settings | steps, tmp_path, findings=findings)
        return findings.of(WARN), findings.of(STOP)

    assert told({"a": header(*whole)}) == ([], [])
    warns, stops = told({"a": header(*whole), "b": header(*whole[:4]), "c": header(*whole[:4])})
    assert stops == [] and len(warns) == 1
    assert "2 samples (b and c) would be left out by bead normalisation" in warns[0] and "bead mass 151" in warns[0]
    warns, stops = told({"b": header(*whole[1:])})
    assert "Time" in warns[0] and stops == [
        "bead normalisation: none of 1 sample has what it needs: switch it off, or name other masses"
    ]
    key = {"enabled": True, "key": "key.tsv"}
    warns, stops = told({"a": header(*whole)}, bead_normalisation=off, debarcoding=key)
    assert "barcode mass 105: found no channel" in warns[0] and len(stops) == 1
    (tmp_path / "m.tsv").write_text("nonsense\n")
    matrix = {"enabled": True, "matrix": "m.tsv"}
    assert len(told({"a": header(*whole)}, spillover=matrix)[1]) == 1
