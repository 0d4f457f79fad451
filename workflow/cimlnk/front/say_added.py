"""What is said of placed samples: a line for each on the console, and what must be known before they are read."""

from __future__ import annotations

from pathlib import Path

from cimlnk.cohort.words import count

from .added_page import write_added_page
from .far import STRANGE_SHARE, Far
from .place import Placed

# Earlier cells that clusterings with the new ones name otherwise, beyond what two of those clusterings differ by, from
# which on the earlier names are no longer those that the data would get: a run of everything is due.
MOVED = 0.05


def say(folder: Path, placed: Placed, everything: int) -> list[str]:
    """Print what was placed and what to know of it, and write the page; the strange samples are returned."""
    table, per_sample = placed.table, placed.table.drop_duplicates("sample")
    for row in per_sample.to_dict("records"):
        mine = table[table["sample"] == row["sample"]].sort_values("n_cells", ascending=False).head(4)
        parts = ", ".join(f"{p} {f:.0%}" for p, f in zip(mine["population"], mine["fraction"], strict=True))
        told = f"signal {row['signal']:.2f}" if row["reason"] is None else f"signal not told ({row['reason']})"
        print(f"  {row['sample']}: {row['n_nk']:,} NK cells · {parts} · {row['strange']:.1%} strange · {told}")
    if placed.otherwise is None or placed.apart is None:
        print(f"cimlnk: note: {placed.reason}")
    else:
        moved = f"{placed.otherwise:.0%} of the earlier cells would have another name in clusterings with the new cells"
        print(f"  {moved} ({placed.apart:.0%} differ between two of those)")
    warned, strange = warnings_of(folder, placed, everything)
    for line in warned:
        print(f"cimlnk: warning: {line}")
    page = write_added_page(folder, placed, warned)
    print(f"cimlnk: placed {count(len(per_sample), 'sample')}; tables are in {folder}; open {page}")
    return strange


def warnings_of(folder: Path, placed: Placed, everything: int) -> tuple[list[str], list[str]]:
    """What must be known of the added samples before they are read, in words, and the samples that are strange.

    Parameters
    ----------
    everything
        NK cells of all samples together.
    """
    told = []
    per_sample = placed.table.drop_duplicates("sample")
    anew = f"run config/{folder.name}.yaml again (it replaces the tables placed there)"
    if placed.otherwise is not None and placed.apart is not None and placed.otherwise - placed.apart > MOVED:
        share = int(per_sample["n_nk"].sum()) / everything
        told.append(f"the new cells ({share:.0%} of all) move the clusters: a step from the earlier "
                    f"samples to these may be one of names; {anew}")  # fmt: skip
    strange: dict[str, list[str]] = {}
    for row in per_sample.to_dict("records"):
        far = Far(row["strange"], row["least"], row["chance"])
        words = f"{far.share:.0%} of its cells ({far.share * row['n_nk']:.0f} of {count(row['n_nk'], 'cell')}) lie far"
        if far.strange:
            strange[row["sample"]] = [f"{words} from every known one"]
        elif far.bordering:
            told.append(f"{row['sample']}: {words} from every known one: more than lie so far with nothing new (up to "
                        f"{far.chance:.1%}), but at the least {far.least:.1%}, which is not above the "
                        f"{STRANGE_SHARE:.0%} from which a sample is strange: look at its file and panel")  # fmt: skip
        elif far.untold:
            earlier = everything - int(per_sample["n_nk"].sum())
            told.append(f"{row['sample']}: {words} from every known one, which may be chance: with so few of its own "
                        f"it may be {far.least:.0%}, and with {count(earlier, 'earlier cell')} up to {far.chance:.0%} "
                        "lie so far with nothing new: too few cells to tell whether it is strange")  # fmt: skip
    for sample, found in placed.strange.items():
        strange[sample] = [*strange.get(sample, []), *found]
    for sample, found in strange.items():
        told.append(f"{sample} is strange: {'; '.join(found)}. Do not read it by the old clusters: "
                    f"look at its file and panel, then {anew}")  # fmt: skip
    return told, list(strange)
