"""Where the synthetic cells come from: measured numbers, and how far from the lists that name cells."""

import csv

import numpy as np
import pandas as pd
import yaml

from cimlnk.common.home import HOME
from cimlnk.simulate import design
from cimlnk.simulate.cytof import run_of, simulate_sample
from cimlnk.simulate.genes import AXES, gene_names, programme_table, programmes
from cimlnk.simulate.latent import POPULATIONS
from cimlnk.simulate.proteins import MARKERS, levels

FOLDER = HOME / "resources/simulate"
# The axis that ends in each population; the first four lie along maturation.
ENDS = dict(
    zip(POPULATIONS, ("bright", "early", "kir", "late", "adaptive", "activated", "cycle", "memory"), strict=True)
)


def read(name):
    return pd.read_csv(FOLDER / f"{name}.tsv", sep="\t", keep_default_na=False)


def test_every_number_has_a_source_and_no_cell_is_kept():
    assert (read("proteins")["source"].str.len() > 5).all() and (read("programmes")["source"].str.len() > 5).all()
    for path in FOLDER.glob("*.tsv"):
        with path.open() as file:
            rows = list(csv.reader(file, delimiter="\t"))
        assert len({len(r) for r in rows}) == 1 and len(rows) <= 2001, path.name


def test_genes_and_markers_are_those_of_the_tables():
    assert set(read("programmes")["gene"]) <= set(gene_names()) and len(set(gene_names())) == 2000
    assert set(read("programmes")["axis"]) == set(AXES) and len(set(MARKERS)) == 42


def overlap():
    """Of the genes and the planted programmes that lead to a name: how many stand in the list that gives the name."""
    named = yaml.safe_load((HOME / "resources/signatures/nk.yaml").read_text())
    groups, planted = named["groups"], programme_table().query("effect > 0")
    rows = []
    for population, axis in ENDS.items():
        entry = named["populations"][population]
        up = {g for word in entry.get("up", entry.get("genes", {})) for g in groups.get(word, [word])}
        own = set(planted.loc[planted["axis"] == axis, "feature"])
        rows.append((population, len(up), len(own), len(up & own)))
    return pd.DataFrame(rows, columns=["population", "naming", "planted", "shared"])


def test_the_planted_genes_are_not_the_lists_that_name():
    table = overlap()
    print(f"\n{table.to_string(index=False)}")
    # Biology is one: a cycling cell has MKI67 in any list. But of what is planted by name most is in no naming list,
    # and what changes in all is many times more.
    assert table["shared"].sum() < 0.2 * table["planted"].sum()
    assert table["shared"].sum() < 0.6 * table["naming"].sum()
    changed = (np.abs(programmes()) > 0.3).sum()
    assert table["shared"].sum() < 0.06 * changed


def test_a_single_marker_does_not_decide_a_population():
    # The best cut of the best marker is wrong by more than a tenth of the population (F1), for every population of
    # maturation and memory.
    events, truth = simulate_sample("demo", 1, design.sample("demo", 1, "P1_D28_cytof"))
    nk = (truth["class"] == "NK").to_numpy()
    values, names = np.arcsinh(events.loc[nk, list(MARKERS)] / 5), truth.loc[nk, "population"].to_numpy()
    for population in ("CD56bright", "CD56dim_NKG2A", "CD56dim_KIR", "memory_like"):
        own = names == population
        best = 0.0
        for marker in MARKERS:
            order = np.argsort(values[marker].to_numpy())
            hits = np.cumsum(own[order])
            below = 2 * hits / (np.arange(1, len(own) + 1) + own.sum())  # F1 of "at most this value"
            above = 2 * (own.sum() - hits) / (len(own) - np.arange(1, len(own) + 1) + own.sum())
            best = max(best, below.max(), above.max())
        assert best < 0.9, (population, best)


def test_channels_look_like_measured_ones():
    """Zeros, spread and background of simulated NK cells lie where those of NK cells in four real sets lie."""
    measured = read("measured_shapes").query("lineage == 'NK'")
    number = measured.assign(**{c: pd.to_numeric(measured[c]) for c in ("zeros", "median", "sd", "q95")})
    events, truth = simulate_sample("demo", 1, design.sample("demo", 1, "P1_pre_cytof"))
    nk = events.loc[(truth["class"] == "NK").to_numpy(), list(MARKERS)]
    scaled = np.arcsinh(np.maximum(nk, 0) / 5)
    absent = number[(number["q95"] < 1.2) & number["marker"].isin(["CD3", "CD14", "CD19", "CD33", "CD123", "CD66b"])]
    # half of the real channels without the marker are zero in 55 to 85 % of the NK cells
    real = absent["zeros"].quantile([0.1, 0.9]).to_list()
    own = [(nk[m] <= 0.5).mean() for m in ("CD14", "CD19", "CD33", "CD117")]
    assert real[0] - 0.1 < np.mean(own) < real[1] + 0.05
    for marker, lowest, highest in (("CD56", 0.7, 1.2), ("CD16", 0.9, 1.6), ("CD7", 0.5, 1.0), ("CD38", 0.8, 1.3)):
        seen = number.loc[number["marker"] == marker, "sd"]
        assert lowest <= seen.median() <= highest  # the tolerance holds what was measured …
        assert lowest <= scaled[marker].std() <= highest  # … and what is made


def test_runs_differ_as_real_runs_do():
    table = read("measured_shifts").set_index(["set", "shift"])["sd_arcsinh"].astype(float)
    runs = np.log([run_of(1, f"day{i}").signal for i in range(1, 60)])
    together = runs.mean(axis=1).std()
    own = (runs - runs.mean(axis=1, keepdims=True)).std()
    key = "cytof_batch_cytonorm"
    assert together == np.clip(
        together, 0.6 * table[key, "batch: all channels together"], 1.4 * table[key, "batch: all channels together"]
    )
    assert own == np.clip(own, 0.8 * table[key, "batch: a channel's own"], 1.2 * table[key, "batch: a channel's own"])


def test_levels_hold_every_population_marker():
    table = levels()
    assert table.nk.shape == (42, 6) and (table.spread > 0.3).all() and (table.shape > 0).all()
    assert len(POPULATIONS) == 8
