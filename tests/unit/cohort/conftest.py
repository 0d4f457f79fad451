"""A small cohort on disk, whose sheets tests bend."""

from pathlib import Path

import pytest

from cimlnk.cohort.config import resolve
from cimlnk.cohort.sheets import load_cohort
from cimlnk.common.errors import UserError

SAMPLES = """\
sample\tpatient\tday\ttimepoint\tarm\ttissue_or_product\tmodality\tpath\tbatch
a_pre\ta\t-6\tpre\tCIML\tblood\tcytof\tfcs/a_pre.fcs\t1
a_d7\ta\t7\tD7\tCIML\tblood\tcytof\tfcs/a_d7.fcs\t1
b_pre\tb\t-6\tpre\tIL2_only\tblood\tcytof\tfcs/b_pre.fcs\t2
b_d7\tb\t7\tD7\tIL2_only\tblood\tcytof\tfcs/b_d7.fcs\t2
a_rna\ta\t7\tD7\tCIML\tblood\trna\trna/a_d7.h5\t1
"""
COUNTS = """\
patient\tday\tnk_per_ul\tlymphocytes_per_ul
a\t-6\t20\t400
a\t7\t500\t900
b\t-6\t\t300
b\t7\t60\t500
"""
PATIENTS = "patient\tarm\tdisease\tdose_per_kg\na\tCIML\tAML\t7e6\nb\tIL2_only\tMDS\t\n"
PANEL = """\
channel\tmarker\trole\tcofactor\tcluster
Time\tTime\ttime\t\t
Ir191Di\tDNA1\tdna\t\t
Er170Di\tCD3\tlineage\t\t
Yb176Di\tCD56\tidentity\t5\tyes
Bi209Di\tCD16\tidentity\t5\tyes
"""


class Folder:
    """A cohort's files; each sheet may be replaced before `load`."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.config: dict = {
            "cohort": {
                "id": "test",
                "samples": "samples.tsv",
                "counts": "counts.tsv",
                "patients": "patients.tsv",
                "panel": "panel.tsv",
            }
        }
        for name, text in {"samples": SAMPLES, "counts": COUNTS, "patients": PATIENTS, "panel": PANEL}.items():
            (base / f"{name}.tsv").write_text(text, encoding="utf-8")
        for folder in ("fcs", "rna"):
            (base / folder).mkdir()
        for name in ("fcs/a_pre.fcs", "fcs/a_d7.fcs", "fcs/b_pre.fcs", "fcs/b_d7.fcs", "rna/a_d7.h5"):
            (base / name).write_bytes(b"")

    def text(self, sheet: str) -> str:
        return (self.base / f"{sheet}.tsv").read_text(encoding="utf-8")

    def replace(self, sheet: str, old: str, new: str) -> None:
        text = self.text(sheet)
        assert old in text, f"{old!r} is not in {sheet}"
        (self.base / f"{sheet}.tsv").write_text(text.replace(old, new), encoding="utf-8")

    def write(self, sheet: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        (self.base / f"{sheet}.tsv").write_bytes(data)

    def load(self):
        return load_cohort(resolve(self.config, self.base), self.base)

    def told(self) -> list[str]:
        """The lines of the error that `load` ends in."""
        with pytest.raises(UserError) as caught:
            self.load()
        return str(caught.value).splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
