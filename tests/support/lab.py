"""A small lab's folder: real-looking raw files and sheets, given and not simulated, for tests to bend."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CYTOF = ("P1_pre_cytof", "P1_D7_cytof", "P2_pre_cytof", "P2_D7_cytof")
RNA = ("P1_pre_rna", "P1_D28_rna")
TENX = ("matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz")


class Lab:
    """Raw files below ``raw/``, sheets beside them; all named by `config`."""

    def __init__(self, base: Path) -> None:
        self.base = base

    @property
    def config(self) -> dict:
        return yaml.safe_load((self.base / "lab.yaml").read_text(encoding="utf-8"))

    def configure(self, **sections: dict) -> None:
        """Put keys over those of the config file, section by section."""
        config = self.config
        for section, keys in sections.items():
            config.setdefault(section, {}).update(keys)
        (self.base / "lab.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.base / name).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        (self.base / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    def fcs(self, sample: str) -> Path:
        return self.base / "raw" / f"{sample}.fcs"

    @property
    def folder(self) -> Path:
        """The 10x folder."""
        return self.base / "raw/P1_D28_rna"

    @property
    def h5(self) -> Path:
        """The 10x HDF5 file."""
        return self.base / "raw/P1_pre_rna.h5"

    def copy(self, target: Path) -> Lab:
        """The same lab elsewhere, its config naming its own sheets."""
        shutil.copytree(self.base, target)
        config = (target / "lab.yaml").read_text(encoding="utf-8").replace(str(self.base), str(target))
        (target / "lab.yaml").write_text(config, encoding="utf-8")
        return Lab(target)


def make_lab(base: Path) -> Lab:
    """Four FCS files, a 10x h5 and a 10x folder of two patients, with their sheets."""
    from cimlnk.simulate.cytof import simulate_cytof
    from cimlnk.simulate.rna import simulate_rna

    truth = base.parent / "truth"
    lab = Lab(base)
    for sample in CYTOF:
        simulate_cytof("tiny", 1, sample, fcs=lab.fcs(sample), truth=truth / f"{sample}.parquet")
    simulate_rna("tiny", 1, RNA[0], truth=truth / "a.parquet", h5=lab.h5)
    simulate_rna("tiny", 1, RNA[1], truth=truth / "b.parquet", folder=lab.folder)
    for sheet in ("samples", "counts", "patients"):
        header, *rows = (ROOT / f"config/{sheet}/tiny.tsv").read_text(encoding="utf-8").splitlines()
        wanted = (*CYTOF, *RNA) if sheet == "samples" else ("P1", "P2")
        kept = [row.replace("data/tiny/cytof/", "").replace("data/tiny/rna/", "") for row in rows
                if row.split("\t")[0] in wanted]  # fmt: skip
        (base / f"{sheet}.tsv").write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")
    shutil.copy(ROOT / "resources/panels/synthetic.tsv", base / "panel.tsv")
    sheets = {sheet: str(base / f"{sheet}.tsv") for sheet in ("samples", "counts", "patients", "panel")}
    config = {"cohort": {"id": "lab", "data_root": str(base / "raw"), **sheets}}
    (base / "lab.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return lab


def make_hollow_lab(base: Path) -> Lab:
    """The lab's sheets, with files that hold no data: a dry run looks at their names, stamps and bytes only."""
    lab = Lab(base)
    lab.folder.mkdir(parents=True)
    for file in (*(lab.folder / name for name in TENX), lab.h5, *map(lab.fcs, CYTOF)):
        file.write_text(file.name)
    for sheet in ("samples", "counts", "patients"):
        header, *rows = (ROOT / f"config/{sheet}/tiny.tsv").read_text().splitlines()
        kept = [r for r in rows if r.split("\t")[0] in (*CYTOF, *RNA, *(("P1", "P2") if sheet != "samples" else ()))]
        text = "\n".join([header, *kept]) + "\n"
        (base / f"{sheet}.tsv").write_text(text.replace("data/tiny/cytof/", "").replace("data/tiny/rna/", ""))
    shutil.copy(ROOT / "resources/panels/synthetic.tsv", base / "panel.tsv")
    sheets = {sheet: str(base / f"{sheet}.tsv") for sheet in ("samples", "counts", "patients", "panel")}
    config = {
        "cohort": {"id": "lab", "data_root": str(base / "raw"), **sheets},
        "cytof": {"alignment": {"enabled": True, "keep": ["timepoint"]}},
    }
    (base / "lab.yaml").write_text(yaml.safe_dump(config))
    return lab
