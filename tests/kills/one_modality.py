"""./run python tests/kills/one_modality.py: a lab's cohort of which all files of one modality are damaged.

First all FCS files, then all RNA files. Wanted under --keep-going: the run ends well, with the report of the other
modality, every damaged file with its reason on the overview, and
that there are such at the end of the run. Exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import html
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "tests/support")]

from checkout import copy_checkout, snakemake  # noqa: E402
from lab import CYTOF, RNA, Lab, make_lab  # noqa: E402

SAMPLES = {"cytof": CYTOF, "rna": RNA}


def damage(lab: Lab, modality: str) -> None:
    files = [lab.h5, lab.folder / "matrix.mtx.gz"] if modality == "rna" else [lab.fcs(s) for s in CYTOF]
    for file in files:
        file.write_bytes(file.read_bytes()[:300])


def looked_at(results: Path, text: str, code: int, *, damaged: str) -> list[str]:
    """What is not as it is to be."""
    from cimlnk.common.tables import read_table

    if code != 0 or "Traceback" in text or not (results / "report/index.html").is_file():
        return [f"{damaged} damaged: exit code {code}\n{text[-4000:]}"]
    faults, end = [], text[text.rindex("cimlnk: warnings") :]
    page = html.unescape((results / "report/index.html").read_text(encoding="utf-8"))
    for modality, samples in SAMPLES.items():
        summary = read_table(results / modality / "summary.parquet").set_index("sample")
        for sample in samples:
            left_out, reason = summary.loc[sample, "left_out"], str(summary.loc[sample, "reason"])
            if left_out != (modality == damaged) or (not left_out and not summary.loc[sample, "n_nk"] > 0):
                faults.append(f"{damaged} damaged: {sample}: left out: {left_out}")
            if left_out and reason not in page:
                faults.append(f"{damaged} damaged: {sample}: not told on the overview: {reason}")
    if f"{damaged}: sample left out" not in end:
        faults.append(f"{damaged} damaged: not told at the end of the run")
    print(f"all files of {damaged} damaged; the end of the run:\n{end}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", default="1")
    parser.add_argument("--only", choices=list(SAMPLES))
    args = parser.parse_args()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        whole, clone = make_lab(Path(folder) / "lab"), copy_checkout(Path(folder) / "clone")
        for damaged in [args.only] if args.only else SAMPLES:
            lab = whole.copy(Path(folder) / damaged)
            lab.configure(cohort={"id": f"no_{damaged}"})
            damage(lab, damaged)
            config = str(lab.base / "lab.yaml")
            run = snakemake(clone, "--cores", args.cores, "--keep-going", "--configfile", config, timeout=3600)
            results = clone / f"results/no_{damaged}"
            faults += looked_at(results, run.stdout + run.stderr, run.returncode, damaged=damaged)
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
