"""A cohort that tries to do harm: markup, formulas, control characters in every free text that the pipeline lets in."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import h5py
import numpy as np
import yaml

from faults import rewrite
from lab import CYTOF, Lab

ROOT = Path(__file__).resolve().parents[2]
# Each marks the page if it runs, and asks a web address for something; HOST is looked for among the requests.
HOST = "hostile.invalid"
RUN = f"__ran=1;new Image().src='//{HOST}'"
SCRIPT = f"</script></title></style><script>{RUN}</script>"
IMAGE = f'<img src=http://{HOST}/i onerror="{RUN}">'
LINK = f'<a href="javascript:{RUN}" onmouseover="{RUN}">x</a>'
SVG = f']]>--><svg onload="{RUN}"><script>{RUN}</script></svg>'
FORMULA = f'=HYPERLINK("http://{HOST}/f","x")'
COMMAND = "=cmd|' /C calc'!A0"
MATHS = r"$\frac{1}{ $ \undefined{x} $$ %s {0} {{7*7}} {% raw %}"
CONTROL = "a\x01\x1b[31mb\x7f\u202ec\u0085d\ufffe"
TEXTS = (SCRIPT, IMAGE, LINK, SVG, FORMULA, COMMAND, MATHS, CONTROL, "+1+1", "@SUM(1)", "-2+3")


def make_hostile(lab: Lab) -> Lab:
    """Bend a lab so that every free text is one of TEXTS.

    Title, covariates of both sheets (names and values), arms, batches and events, names of files, marker names in the
    files ($PnS), gene names in both forms, reasons of overrides, labels, descriptions and names of an own definition.
    """
    arm, batch = "=1+1(A1)", "@SUM(A1) +b"
    for sheet, row in (("samples", 0), ("patients", 0)):
        lines = (lab.base / f"{sheet}.tsv").read_text(encoding="utf-8").splitlines()
        names = [f"{t}" for t in (IMAGE.replace("\t", ""), "=covariate()", "<b>bold</b>", "$x^{")]
        lines[row] = "\t".join([lines[0], *names])
        for k in range(1, len(lines)):
            shown = [TEXTS[(k + j) % len(TEXTS)].replace("\x00", "") for j in range(len(names))]
            lines[k] = "\t".join([lines[k], *('"' + t.replace('"', '""') + '"' for t in shown)])
        text = "\n".join(lines).replace("\tCIML\t", f"\t{arm}\t").replace("\tday1\t", f"\t{batch}\t")
        (lab.base / f"{sheet}.tsv").write_text(text + "\n", encoding="utf-8")
    for k, sample in enumerate(CYTOF):

        def change(events, channels, markers, *, k=k):
            hostile = [
                m if m in ("", c) else f"{m} {TEXTS[(k + i) % len(TEXTS)]}"
                for i, (c, m) in enumerate(zip(channels, markers, strict=True))
            ]
            return events, channels, [h.replace("\x01", "") for h in hostile]

        rewrite(lab.fcs(sample), change)
    # the path is the one thing that names a file; a slash cannot be in it
    for sample, name in {CYTOF[0]: IMAGE.replace("/", "_"), CYTOF[1]: FORMULA.replace("/", "_")}.items():
        name = name.replace('"', "'")[:120] + ".fcs"
        shutil.move(lab.fcs(sample), lab.base / "raw" / name)
        text = (lab.base / "samples.tsv").read_text(encoding="utf-8").replace(f"{sample}.fcs", name)
        (lab.base / "samples.tsv").write_text(text, encoding="utf-8")
    _genes(lab)
    (lab.base / "overrides.tsv").write_text(
        "what\tkey\tmarker\tvalue\taction\twhy\n"
        f"cluster\tcytof:0\t\tmine\trename\t{IMAGE.replace(chr(34), chr(39))}\n"
        f"cluster\trna:0\t\tmine\trename\t{FORMULA.replace(chr(34), chr(39))}\n",
        encoding="utf-8",
    )
    definitions = yaml.safe_load((ROOT / "resources/phenotypes/nk.yaml").read_text(encoding="utf-8"))
    populations = definitions["populations"]
    for k, entry in enumerate(populations.values()):
        entry |= {"label": TEXTS[k % len(TEXTS)], "description": TEXTS[(k + 1) % len(TEXTS)], "source": SCRIPT}
    (lab.base / "definitions.yaml").write_text(yaml.safe_dump(definitions), encoding="utf-8")
    lab.configure(
        cohort={"title": SCRIPT + IMAGE, "overrides": str(lab.base / "overrides.tsv"), "arms": [arm]},
        populations={"cytof": {"definitions": str(lab.base / "definitions.yaml")}},
    )
    return lab


def _genes(lab: Lab) -> None:
    """Every tenth gene, and some that carry most counts, by one of TEXTS; names stay different."""
    file = lab.folder / "features.tsv.gz"
    rows = [line.split("\t") for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
    for i, row in enumerate(rows):
        if i % 10 == 3:
            row[1] = _gene(i)
    with gzip.open(file, "wt", encoding="utf-8") as stream:
        stream.write("".join("\t".join(row) + "\n" for row in rows))
    with h5py.File(lab.h5, "r+") as stream:
        names = [n.decode() for n in stream["matrix/features/name"][:]]
        for i in range(len(names)):
            if i % 10 == 3:
                names[i] = _gene(i)
        del stream["matrix/features/name"]
        stream["matrix/features/name"] = np.array([n.encode() for n in names])


def _gene(i: int) -> str:
    return f"{TEXTS[i // 10 % len(TEXTS)]}{i}".replace("\t", " ")
