"""Files of another kind than those of a finished run: told by their panel and their lineages before any is gated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cimlnk.cohort.places import data_root
from cimlnk.cohort.words import count, listed
from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.home import called, locate
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.gating.pool import make_pool
from cimlnk.cytof.lineages import make_lineages
from cimlnk.cytof.panel import load_panel, markers_in

from .place import all_markers
from .shift import UNLIKE, Profiles, shifts

# Of the markers of a clustering: files that have fewer are of another panel, not of one that lost some. Six data sets
# of other laboratories have 2 to 9 of the 35 of the synthetic cohorts.
LEAST_SHARED = 0.5
LEAST_COMPARED = 3  # markers of both panels by which lineages are compared


class StrangeFiles(UserError):
    """Files that are unlike all samples of a finished run: no mistake in a sheet, and nothing to be placed."""

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)


class Panels(NamedTuple):
    """Markers of the clustering that each new file has, and those that it surely lacks, in the clustering's order."""

    has: dict[str, list[str]]
    lacks: dict[str, list[str]]

    @property
    def strange(self) -> list[str]:
        """The samples that have fewer than half of them."""
        return [s for s, own in self.has.items() if len(own) < LEAST_SHARED * (len(own) + len(self.lacks[s]))]

    def groups(self, samples: Iterable[str]) -> dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]]:
        """Those of the `samples` that have and lack the same markers."""
        found: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
        for sample in samples:
            found.setdefault((tuple(self.has[sample]), tuple(self.lacks[sample])), []).append(sample)
        return found


def read_panels(paths: Mapping[str, Path], panel: pd.DataFrame, wanted: Sequence[str]) -> Panels:
    """The markers `wanted` in each file, by `panel` or by what its channels are called.

    Files that cannot be read, and those none of whose channels says a marker, are left to the gating.
    """
    found = Panels({}, {})
    for sample, path in paths.items():
        try:
            header = read_header(path)
        except UserError:
            continue  # told where the file is gated, as one that is left out
        own = markers_in(header, panel)
        if own:
            found.has[sample] = [m for m in wanted if m in own]
            found.lacks[sample] = [m for m in wanted if m not in own]
    return found


def lineages_apart(
    earlier: Path, rows: pd.DataFrame, paths: Mapping[str, Path], *, cfg: Mapping[str, Any], base: Path,
    kinds: Mapping[str, bool],
) -> tuple[dict[str, float], list[str]]:  # fmt: skip
    """How far the lineages of new files lie from those of a finished run, and the markers of both by which it is told.

    Parameters
    ----------
    earlier
        ``cytof/lineages.npz`` of the run.
    rows, paths
        Sample and batch of the new files, and where they are.
    cfg
        Their own config, with their own panel.
    kinds
        Sample -> whether it is a product, of all samples.

    Returns
    -------
    Multiples of the farthest earlier sample's distance from the others, of the samples of which it can be told. Both
    are empty where there are no lineages, or too few markers in both panels.
    """
    panel = locate(cfg["cohort"]["panel"], base)
    batches = {str(r["sample"]): str(r["batch"]) for r in rows.to_dict("records") if r["sample"] in paths}
    given, settings, seed = {s: paths[s] for s in batches}, cfg["cytof"], int(cfg["seed"])
    with TemporaryDirectory() as folder:
        pool, out = Path(folder) / "pool.json", Path(folder) / "lineages.npz"
        gates = locate(settings["gates"], base)
        make_pool(given, batches, panel, gates=gates, output=pool, settings=settings, seed=seed, until="live")
        make_lineages(files=given, batches=batches, panel=panel, gate_file=gates, pool=pool, output=out,
                      settings=settings, seed=seed)  # fmt: skip
        new = Profiles.read(out)
    old = Profiles.read(earlier)
    shared = [m for m in old.markers if m in new.markers]
    if len(shared) < LEAST_COMPARED:
        return {}, []
    values = [p.values[:, :, [p.markers.index(m) for m in shared]] for p in (old, new)]
    both = Profiles(np.concatenate(values), [*old.samples, *new.samples], shared)
    told = {s: m.unlike for s, m in shifts(both, list(given), kinds).items()}
    return {s: v for s, v in told.items() if np.isfinite(v)}, shared


def told(
    panels: Panels,
    apart: Mapping[str, float],
    shared: Sequence[str],
    *,
    sheet: str,
    run: str,
    untold: str | None,
    own: bool,
) -> str:
    """What is said of the strange files: one message for all of them.

    Parameters
    ----------
    panels, apart, shared
        Of :func:`read_panels` and :func:`lineages_apart`.
    sheet, run
        The sheet or drafted config that was given, and the id of the finished run.
    untold
        Why lineages could not be compared, where that was tried.
    own
        Whether `sheet` is a config, which can be run by itself.
    """
    strange = panels.strange
    everything = len(panels.has)
    which = count(everything, "file") if len(strange) == everything else f"{len(strange)} of {everything} files"
    lines = [f"{which} of {sheet} cannot be placed on the clusters of {run}:"]
    for (has, lacks), samples in panels.groups(strange).items():
        some = f" ({', '.join(has)})" if has else ""
        lines.append(f"  {listed(samples, 3)}: {len(has)} of the {len(has) + len(lacks)} markers that its cells were "
                     f"clustered by{some}; not measured: {', '.join(lacks)}")  # fmt: skip
    if apart:
        low, high = f"{min(apart.values()):.1f}", f"{max(apart.values()):.1f}"
        span = low if low == high else f"{low} to {high}"
        far = sum(v > UNLIKE for v in apart.values())
        lines.append(f"  on the {len(shared)} markers of both panels ({', '.join(shared)}) the lineages of "
                     f"{count(len(apart), 'file')} lie {span} times as far from the earlier samples' as any of those "
                     f"from the others; above {UNLIKE} is strange: {far} of {len(apart)}")  # fmt: skip
    elif untold:
        lines.append(f"  their lineages were not compared: {untold}")
    lines.append("  nothing was placed, nothing was written")
    if len(strange) < everything:
        lines.append("  without the rows of the strange files the others can be added")
    if own:
        lines.append(f"  by themselves they are a cohort: {called('run', f'--configfile {sheet}')}")
    return "\n".join(lines)


def refuse_strangers(
    earlier: Path,
    rows: pd.DataFrame,
    samples: Sequence[str],
    *,
    cfg: Mapping[str, Any],
    own: Mapping[str, Any] | None,
    wanted: Sequence[str],
    sheet: str,
    base: Path,
) -> None:
    """Refuse new files that cannot be placed by what their panel lacks, before any is gated.

    Parameters
    ----------
    earlier
        Folder of the finished run.
    rows
        Sample sheet with the earlier and the new `samples`.
    cfg
        The config of the finished run, resolved.
    own
        The drafted config of the new files, resolved, where one was given in place of a sheet.
    wanted
        The markers that the cells were clustered by.
    sheet
        What was given, as it is called in messages.

    Raises
    ------
    StrangeFiles
        If any has fewer than half of the markers.
    UserErrors
        If any lacks a marker.
    """
    panel_sheet = cfg["cohort"]["panel"]
    root = data_root(cfg, base, Problems())
    if panel_sheet is None or root is None or "path" not in rows:
        return  # a mistake of the config or the sheet, which is told when it is read
    new = rows[rows["sample"].isin(samples)]
    paths = {s: root / p for s, p in zip(new["sample"], new["path"].str.strip(), strict=True) if "://" not in p}
    panels = read_panels(paths, load_panel(locate(panel_sheet, base)), wanted)
    strange = panels.strange
    if strange:
        lineages, apart, shared, untold = earlier / "cytof/lineages.npz", dict[str, float](), list[str](), None
        if own is not None and own["cohort"]["panel"] is not None and lineages.is_file():
            kinds = {r["sample"]: r.get("tissue_or_product") == "product" for r in rows.to_dict("records")}
            mine = {s: paths[s] for s in strange}
            try:
                apart, shared = lineages_apart(lineages, new, mine, cfg=own, base=base, kinds=kinds)
                untold = "too few lineages, markers of both panels or earlier samples"
            except UserError as error:
                untold = str(error).splitlines()[0]
        what = told(panels, apart, shared, sheet=sheet, run=earlier.name, untold=untold, own=own is not None)
        raise StrangeFiles(what)
    refuse_lacking(panels, sheet)


def refuse_lacking(panels: Panels, sheet: str) -> None:
    """Refuse samples that lack some markers of the clustering, each by the markers' names.

    Raises
    ------
    UserErrors
        If there are any.
    """
    problems = Problems()
    for (has, lacks), samples in panels.groups(panels.lacks).items():
        if lacks:
            where = f"{'samples' if len(samples) > 1 else 'sample'} {listed(samples, 3)}, markers"
            problems.add(sheet, where, Plain(f"no {', '.join(lacks)}"), all_markers(len(has) + len(lacks)))
    problems.raise_if_any()
