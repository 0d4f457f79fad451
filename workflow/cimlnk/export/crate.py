"""``crate CONFIG``: a finished run described as an RO-Crate, to be deposited or handed on as it is.

RO-Crate 1.1 (Soiland-Reyes 2022, doi:10.3233/DS-210053) with the profile Process Run Crate 0.5 (Leo 2024,
doi:10.1371/journal.pone.0309210).
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import cimlnk
from cimlnk.cohort.config import resolve
from cimlnk.common.errors import Plain, UserError
from cimlnk.common.home import called
from cimlnk.common.provenance import sha256
from cimlnk.common.tables import read_provenance
from cimlnk.common.yaml_file import read_yaml

METADATA = "ro-crate-metadata.json"
CONTEXT: list[Any] = [
    "https://w3id.org/ro/crate/1.1/context",
    {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
]
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
NEEDED = ("cohort/samples.parquet", "report/index.html")
LEFT_OUT = ("logs", "benchmarks", METADATA)  # times of one machine, and the description itself
NO_LICENCE = "No licence was given: ask those who made the data before you use them."
KINDS = {
    ".parquet": "application/vnd.apache.parquet", ".html": "text/html", ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".pdf": "application/pdf",
    ".xml": "application/xml", ".wsp": "application/xml", ".h5ad": "application/x-hdf5", ".h5mu": "application/x-hdf5",
    ".fcs": "application/vnd.isac.fcs", ".npz": "application/zip", ".yaml": "application/yaml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip
FOLDERS = {
    "report": "The report; index.html is its first page", "export": "Results in the formats of other programs",
    "cohort": "The sheets as they were read", "cytof": "Mass cytometry: gated cells, clusters, populations",
    "flow": "Flow cytometry: gated cells, clusters, populations",
    "rna": "Single-cell RNA: cells, clusters, populations",
    "adt": "Antibodies of single-cell RNA samples", "dynamics": "Abundance, kinetics, tests", "donors": "Whose cells",
    "claims": "The study's claims and their verdicts", "quality": "Warnings", "truth": "Recovery of planted truth",
}  # fmt: skip
Entity = dict[str, Any]


def describe(
    results: str | Path,
    *,
    title: str,
    published: str,
    licence: str | None = None,
    author: str | None = None,
    publisher: str | None = None,
) -> dict[str, Any]:
    """The crate of a finished run, as JSON-LD.

    Every file of the results is a data entity with its size and sha256 (logs and benchmarks are left out); one action
    joins them to what was read: sheets and data files by name and sha256, the workflow and the libraries by version.
    A file that was read stands under its URL, or under its hash where it has none, never under a path of this machine.

    Parameters
    ----------
    results
        ``results/<cohort id>``.
    title
        Of the cohort.
    published
        ISO 8601 day stated in the crate.
    licence
        URL of the licence; by default the crate says that none was given.
    author, publisher
        Who made the data, and the institution that hands them on; by default no one is named.
    """
    root = Path(results)
    files = sorted(p for p in root.rglob("*") if p.is_file() and p.relative_to(root).parts[0] not in LEFT_OUT)
    entities = [_file(root, f) for f in files]
    inputs, versions = _read(root, files)
    folders = [
        {"@id": f"{name}/", "@type": "Dataset", "name": name, "description": FOLDERS.get(name, "Further results")}
        for name in sorted({f.relative_to(root).parts[0] for f in files if len(f.relative_to(root).parts) > 1})
    ]
    libraries = [_software(name, number) for name, number in sorted(versions.items()) if name != "cimlnk"]
    program = _software("cimlnk", versions.get("cimlnk", cimlnk.__version__)) | {
        "description": "Snakemake workflow for longitudinal profiling of NK cells",
        "url": "https://doi.org/10.1172/JCI154334",
        "softwareRequirements": _links(libraries),
    }
    text = licence or NO_LICENCE
    terms = {"@id": licence or "#licence", "@type": "CreativeWork", "name": text, "description": text}
    names = {"author": ("Person", author), "publisher": ("Organization", publisher)}
    people: dict[str, Entity] = {
        key: {"@id": f"#{key}", "@type": kind, "name": name} for key, (kind, name) in names.items() if name
    }
    if len(people) == 2:
        people["author"]["affiliation"] = _to(people["publisher"])
    ended = datetime.fromtimestamp((root / NEEDED[-1]).stat().st_mtime, UTC)
    action: Entity = {
        "@id": "#run", "@type": "CreateAction", "name": f"Run of cimlnk on {title}",
        "description": "From raw files and sheets to the report. Same inputs, versions and seed give the same bytes.",
        "instrument": _to(program), "object": _links(inputs), "result": _links(entities),
        "actionStatus": "http://schema.org/CompletedActionStatus", "endTime": ended.isoformat(timespec="seconds"),
        **({"agent": _to(people["author"])} if author else {}),
    }  # fmt: skip
    top: Entity = {
        "@id": "./", "@type": "Dataset", "name": title, "datePublished": published, "license": _to(terms),
        "description": f"Results of cimlnk {program['softwareVersion']} on the cohort “{title}”.",
        "conformsTo": {"@id": PROFILE}, "hasPart": _links([*folders, *entities]), "mentions": _to(action),
        **{k: _to(e) for k, e in people.items()},
    }  # fmt: skip
    about: Entity = {
        "@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }  # fmt: skip
    profile: Entity = {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    graph = [about, top, profile, terms, *people.values(), program, *libraries, action, *inputs, *folders, *entities]
    return {"@context": CONTEXT, "@graph": graph}


def _to(entity: Mapping[str, Any]) -> dict[str, str]:
    return {"@id": entity["@id"]}


def _links(entities: Sequence[Mapping[str, Any]]) -> list[dict[str, str]] | dict[str, str]:
    """Links to entities; a single one stands by itself, as the specification asks."""
    links = [_to(e) for e in entities]
    return links[0] if len(links) == 1 else links


def _file(root: Path, path: Path) -> Entity:
    place = path.relative_to(root).as_posix()
    return {
        "@id": quote(place), "@type": "File", "name": place, "contentSize": str(path.stat().st_size),
        "sha256": sha256(path), "encodingFormat": KINDS.get(path.suffix, "application/octet-stream"),
    }  # fmt: skip


def _software(name: str, number: str) -> Entity:
    place = f"urn:cimlnk:{number}" if name == "cimlnk" else f"https://pypi.org/project/{name}/{number}/"
    told = {"@id": place, "@type": "SoftwareApplication", "name": name, "softwareVersion": number}
    return told if name == "cimlnk" else told | {"url": place}


def _read(root: Path, files: Sequence[Path]) -> tuple[list[Entity], dict[str, str]]:
    """What the tables were made from that the run did not make itself, each once, and the versions."""
    own = f"results/{root.name}/"
    seen: dict[tuple[str, str], None] = {}
    versions: dict[str, str] = {}
    for path in files:
        if path.suffix != ".parquet":
            continue
        record = read_provenance(path)
        versions |= {k: v for k, v in record.get("versions", {}).items() if v != "absent"}
        for name, digest in record.get("inputs", {}).items():
            if own not in name.replace("\\", "/"):
                seen[PurePosixPath(name.replace("\\", "/")).name, digest] = None
    return [
        {
            "@id": f"#sha256-{digest}-{quote(name)}", "@type": "CreativeWork", "name": name, "sha256": digest,
            "description": "Read by the run and not part of this crate; the hash says which file it was.",
        }
        for name, digest in sorted(seen)
    ], versions  # fmt: skip


def write_crate(results: str | Path, **about: Any) -> Path:
    """Write :func:`describe` to ``ro-crate-metadata.json`` in `results`; returns its place.

    Raises
    ------
    UserError
        If the run is not there or not finished.
    """
    root = Path(results)
    for name in NEEDED:
        if not (root / name).is_file():
            raise UserError(
                "command line", "CONFIG", Plain(f"no {root / name}"), f"a finished run: {called()} it first"
            )
    text = json.dumps(describe(root, **about), indent=1, ensure_ascii=False) + "\n"
    (root / METADATA).write_text(text, encoding="utf-8")
    return root / METADATA


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of ``crate``."""
    parser = argparse.ArgumentParser("crate", description="Describe a finished run as an RO-Crate.")
    parser.add_argument("config", help="the config file of the cohort")
    parser.add_argument("--date", default=date.today().isoformat(), help="day of publication, YYYY-MM-DD (today)")
    parser.add_argument("--licence", metavar="URL", help="licence of the results (none is given)")
    parser.add_argument("--author", metavar="NAME", help="who made the data (no one is named)")
    parser.add_argument("--publisher", metavar="NAME", help="institution that hands them on (none is named)")
    given = parser.parse_args(arguments)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", given.date):
        raise UserError("command line", "--date", given.date, "a day as YYYY-MM-DD")
    if given.licence and not given.licence.startswith(("https://", "http://")):
        raise UserError("command line", "--licence", given.licence, "an address (https://…)")
    place = Path(given.config)
    if not place.is_file():
        raise UserError("command line", "CONFIG", given.config, "the path of a config file")
    config = resolve(read_yaml(place), Path("."), given.config)
    cohort = config["cohort"]
    made = write_crate(
        Path("results") / cohort["id"], title=cohort["title"] or cohort["id"], published=given.date,
        licence=given.licence, author=given.author, publisher=given.publisher,
    )  # fmt: skip
    print(f"cimlnk: {made}: the folder {made.parent} is an RO-Crate now")
    return 0
