"""``add SHEET``: later samples placed on a finished clustering, each with its strangeness; nothing old changes."""

from __future__ import annotations

import argparse
import copy
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cimlnk.cohort.config import resolve
from cimlnk.cohort.places import data_root
from cimlnk.cohort.read import REMARKS, read_sheet
from cimlnk.cohort.schemas import load_schema
from cimlnk.cohort.sheets import Cohort, load_cohort
from cimlnk.common.errors import Plain, Problems, UserError, UserErrors
from cimlnk.common.home import HOME, called, locate
from cimlnk.common.snakemake import run_snakemake
from cimlnk.common.tables import read_table
from cimlnk.common.yaml_file import read_yaml

from .guess_samples import UNTOLD
from .place import Placed, place
from .say_added import say
from .strangers import StrangeFiles, refuse_strangers

# Why the samples of a modality cannot be placed: what their features are made of changes with every new sample.
NOT_ADDED = {
    "rna": "single-cell RNA has features (variable genes, components, Harmony) that are made from all samples together",
    "flow": "flow cytometry has cofactors that are estimated from all files together",
}
NEEDED = tuple(f"cytof/{name}" for name in (
    "features.npy", "features.json", "graph.npz", "clustering.json", "clusters.parquet", "thresholds.parquet",
    "populations.parquet", "overridden.parquet", "cells.parquet", "summary.parquet"))  # fmt: skip


def widened(config: Mapping[str, Any], sheet: Path, name: str, *, base: Path) -> tuple[dict[str, Any], str, list[str]]:
    """The config and the sample sheet (as text) of the earlier samples and the new ones, and the new samples' names.

    Raises
    ------
    UserError
        If a new sample has the name of an earlier one or is no mass cytometry, or the sheet cannot be read.
    """
    old_sheet = config["cohort"]["samples"]
    old = _read(locate(old_sheet, base), old_sheet).drop(columns=REMARKS, errors="ignore")
    new = _read_new(sheet, base, old).drop(columns=REMARKS, errors="ignore")
    for modality, why in NOT_ADDED.items():
        if "modality" in new and (new["modality"].str.strip() == modality).any():
            expected = f"cytof only: {why}; put the rows into {old_sheet} and run the cohort"
            raise UserError(sheet, "column modality", modality, expected)
    twice = sorted(set(old["sample"]) & set(new["sample"]))
    if twice:
        raise UserError(sheet, "column sample", twice[0], f"samples that are not in {old_sheet} already")
    both = pd.concat([old, new], ignore_index=True).fillna("")
    result = copy.deepcopy(dict(config))
    result["cohort"] = dict(result["cohort"]) | {"id": name, "samples": f"config/samples/{name}.tsv"}
    result["simulate"] = None  # the earlier files are there, and the new ones are nobody's simulation
    stream = io.StringIO()
    both.to_csv(stream, sep="\t", index=False, lineterminator="\n")
    return result, stream.getvalue(), list(new["sample"])


def add(
    sheet: str | Path, config: str | Path, *, name: str | None = None, base: str | Path = ".", cores: int = 1
) -> tuple[Path, Placed]:
    """Gate the samples of `sheet` and place their cells on the clustering of a finished run of `config`.

    `sheet` may also be a drafted config of the new files: its sample sheet is taken, and its folder of files.
    Writes ``config/<name>.yaml``, its sample sheet, and ``results/<name>/``; the folder of the earlier run is only
    read. A new sample without NK cells is left out, with the reason in ``cytof/summary.parquet``. Single-cell RNA and
    flow cytometry cannot be added, nor can anything to aligned batches: their features come from all samples together.

    Returns
    -------
    The new folder, and what was placed there.

    Raises
    ------
    UserError
        If the earlier run is not there or not finished, for mistakes in the sheet, for files that lack markers of the
        clustering (StrangeFiles, where they lack most), or if the gating fails.
    """
    base, given = Path(base), read_yaml(config)
    earlier_cfg = resolve(given, base, str(config))
    earlier = base / "results" / earlier_cfg["cohort"]["id"]
    lacking = [n for n in NEEDED if not (earlier / n).is_file()]
    if lacking:
        raise UserError(
            config, "earlier run", Plain(f"no {earlier / lacking[0]}"), f"a finished run: {called()} it first"
        )
    about = json.loads((earlier / "cytof/features.json").read_text(encoding="utf-8"))
    if about["integration"]["applied"]:
        expected = (
            "cells as they were measured: an alignment moves the earlier cells, too, when a sample joins; run it again"
        )
        raise UserError(config, "cytof.alignment", Plain("batches were aligned in the earlier run"), expected)
    name = name or f"{earlier_cfg['cohort']['id']}_{Path(sheet).stem}"
    wide, text, samples = widened(given, Path(sheet), name, base=base)
    places = {base / f"config/{name}.yaml": yaml.safe_dump(wide, sort_keys=False, allow_unicode=True)}
    places[base / wide["cohort"]["samples"]] = text
    drafted = _drafted(Path(sheet), base)
    rows = pd.read_csv(io.StringIO(text), sep="\t", dtype=str, keep_default_na=False)
    refuse_strangers(earlier, rows, samples, cfg=earlier_cfg, own=drafted, wanted=about["features"], sheet=str(sheet),
                     base=base)  # fmt: skip
    for mine in (Path(sheet), *([locate(drafted["cohort"]["samples"], base)] if drafted else [])):
        if any(mine.resolve() == path.resolve() for path in places):
            expected = f"another one: what is written under this id would take the place of {mine}"
            raise UserError("command line", "--id", name, expected)
    fresh = [path for path in places if not path.exists()]
    _write_once(places)
    try:
        cohort = load_cohort(resolve(wide, base, f"config/{name}.yaml"), base)
    except UserError as error:
        for path in fresh:  # else the corrected sheet would find another one in its place
            path.unlink()
        own = drafted["cohort"]["samples"] if drafted else sheet
        lines = [_read(locate(s, base), str(s)).index for s in (earlier_cfg["cohort"]["samples"], own)]
        raise _of_new_sheet(
            error, wide["cohort"]["samples"], sheet=own, old=earlier_cfg["cohort"]["samples"], lines=lines
        ) from None
    targets = [f"results/{name}/cytof/samples/{s}.h5ad" for s in samples]
    _gate(f"config/{name}.yaml", targets, base, cores=cores)
    _check_unchanged(earlier, cohort)
    seed = int(earlier_cfg["seed"])
    files = {s: base / t for s, t in zip(samples, targets, strict=True)}
    out = base / "results" / name
    return out, place(earlier, files, cohort, cfg=earlier_cfg, out=out, base=base, seed=seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of ``add``; 0 if all samples were placed, 1 for an error, 3 if any is strange."""
    parser = argparse.ArgumentParser("add", description="Place later samples on the clustering of a finished run.")
    parser.add_argument("sheet", help="sample sheet of the new samples only, or a drafted config of them")
    parser.add_argument("--config", "--configfile", required=True, help="config of the finished run")
    parser.add_argument("--id", help="name of the new result folder")
    parser.add_argument("--cores", type=int, default=1)
    given = parser.parse_args(arguments)
    try:
        folder, placed = add(given.sheet, given.config, name=given.id, cores=given.cores)
    except StrangeFiles as error:
        print(f"cimlnk: strange: {error}", file=sys.stderr)
        return 3
    except UserError as error:
        print(f"cimlnk: error: {error}", file=sys.stderr)
        return 1
    summary = read_table(folder / "cytof/summary.parquet")
    new = _read_new(Path(given.sheet), Path())["sample"]
    for row in summary[summary["left_out"] & summary["sample"].isin(new)].to_dict("records"):
        print(f"  {row['sample']}: left out: {row['reason']}")
    strange = say(folder, placed, int(summary["n_nk"].sum()))
    return 3 if strange else 0


def _read(path: Path, name: str) -> pd.DataFrame:
    """A sample sheet as text; the index is the row in the sheet, comments above the header counted."""
    if not path.is_file():
        raise UserError(name, "file", Plain("no such file"), "a sample sheet")
    known = [c for c in (load_schema("samples") or {})["properties"] if c != "sample"]
    given = read_sheet(path, ["sample"], known, file=name, closed=False)
    rows = [list(cells.values()) for _, cells in given.rows]
    return pd.DataFrame(rows, index=[n for n, _ in given.rows], columns=given.columns, dtype=str)


def _drafted(sheet: Path, base: Path) -> dict[str, Any] | None:
    """The drafted config that is given in place of a sheet; None of a sheet."""
    if sheet.suffix.lower() not in (".yaml", ".yml"):
        return None
    if not sheet.is_file():
        raise UserError("command line", "SHEET", str(sheet), "the path of a sample sheet or a drafted config")
    return resolve(read_yaml(sheet), base, str(sheet))


def _read_new(sheet: Path, base: Path, old: pd.DataFrame | None = None) -> pd.DataFrame:
    """The rows of the new samples; by a drafted config those of its sheet, with paths that hold anywhere.

    Where a draft found nothing about arms (UNTOLD), a patient of the earlier sheet keeps the arm it has there.
    """
    drafted = _drafted(sheet, base)
    if drafted is None:
        return _read(sheet, str(sheet))
    rows = _read(locate(drafted["cohort"]["samples"], base), drafted["cohort"]["samples"])
    problems = Problems()
    root = data_root(drafted, base, problems)
    problems.raise_if_any()
    if "path" in rows and root is not None:
        # a cell without a path stays one, to be told as such
        rows["path"] = [str((root / p).resolve()) if p and "://" not in p else p for p in rows["path"].str.strip()]
    if old is not None and {"patient", "arm"} <= {*old, *rows}:
        arms = dict(zip(old["patient"], old["arm"], strict=True))
        told = rows["arm"] != UNTOLD
        rows["arm"] = rows["arm"].where(told, [arms.get(p, UNTOLD) for p in rows["patient"]])
    return rows


def _write_once(texts: Mapping[Path, str]) -> None:
    """Write files that are not there yet; one that holds something else is a mistake."""
    problems = Problems()
    for path, text in texts.items():
        if path.exists() and path.read_text(encoding="utf-8") != text:
            problems.add(path, "file", Plain("it is there already and differs"), "no such file: give another --id")
    problems.raise_if_any()
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _of_new_sheet(
    error: UserError, wide: str, *, sheet: str | Path, old: str, lines: Sequence[Sequence[int]]
) -> UserErrors:
    """The mistakes by the rows of the sheet that was given, not of the widened one, which is not kept.

    `lines` are the rows of the `old` sheet and of the one given, as a spreadsheet numbers them.
    """
    earlier, own = lines
    first = len(earlier) + 2  # row of the widened sheet
    problems = Problems()
    for one in error.errors if isinstance(error, UserErrors) else [error]:
        hit = re.match(r"rows? ([0-9]+(?:, [0-9]+)*)(.*)", one.where) if one.file == wide else None
        numbers = [int(n) for n in re.findall("[0-9]+", hit[1])] if hit else []
        if hit is None or any(n < first for n in numbers):
            problems.extend(one)
            continue
        place = f"row{'s' if len(numbers) > 1 else ''} {', '.join(str(own[n - first]) for n in numbers)}{hit[2]}"

        def told(other: re.Match[str]) -> str:
            n = int(other[1])
            return f"row {own[n - first]}" if n >= first else f"row {earlier[n - 2]} of {old}"

        expected = re.sub(r"\brow ([0-9]+)\b", told, one.expected)
        problems.extend(UserError(sheet, place, one.found, expected, one.suggestion and [one.suggestion]))
    return UserErrors(problems.errors)


def _gate(config: str, targets: Sequence[str], base: Path, *, cores: int) -> None:
    """Make the new samples' cells by the workflow's own rules."""
    command = ["--snakefile", str(HOME / "Snakefile"), "--cores", str(cores)]
    command += ["--workflow-profile", str(HOME / "profiles/default"), "--logger", "cimlnk", "--configfile", config]
    if run_snakemake([*command, "--", *targets], base):
        raise UserError(config, "gating of the new samples", Plain("it failed"), "see the messages above")


def _check_unchanged(earlier: Path, cohort: Cohort) -> None:
    """The earlier run's samples are all in the sheet: a run of fewer is not what these were clustered with."""
    known = set(read_table(earlier / "cytof/summary.parquet")["sample"])
    gone = sorted(known - set(cohort.samples["sample"]))
    if gone:
        raise UserError(earlier, "samples", gone[0], "samples of the sheet: it lacks one of the earlier run")
