"""Situations 1–11 and 19: names of proteins, whatever else is in the run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.markers import canonical
from cimlnk.simulate.latent import POPULATIONS
from cimlnk.simulate.proteins import MARKERS, long_name, panel

from .ask import Answer, answer, clusters
from .cells import BLOOD, MONTH, RESTING, Cohort, File, course, make, without
from .checks import FOREIGN, RIGHT, Check, Scenario, at_least, at_most, holds

DIM = ("CD56dim_NKG2A", "CD56dim_KIR", "CD56dim_CD57")
LATE = {"memory_like": 0.35, "CD56bright": 0.17, "CD56dim_NKG2A": 0.20, "CD56dim_KIR": 0.16, "CD56dim_CD57": 0.12}
# Markers that a panel calls by other names.
ALIASES = {"CD56": "NCAM1", "CD16": "FcgRIII", "NKG2A": "CD159a", "NKG2C": "CD159c", "NKG2D": "CD314", "NKp46": "CD335",
           "NKp44": "CD336", "NKp30": "CD337", "DNAM-1": "CD226", "PD-1": "CD279", "KIR2DL1": "CD158a",
           "KIR2DL2_3": "CD158b", "KIR3DL1": "CD158e", "CD8a": "CD8"}  # fmt: skip
RENAMED = 0.001  # largest share of the other cells that an artefact of four times as many may rename
RECEPTORS = ("NKG2A", "NKG2C", "KIR2DL1", "KIR2DL2_3", "KIR3DL1")


def infused(seed: int, small: bool, *dropped: str, fluorescence: bool = False, **changes: object) -> Cohort:
    """Two infused patients (one if small), four files each, all measured in one run."""
    files = [f for p in (("P1",) if small else ("P1", "P2")) for f in course(p, "day1", **changes)]
    return make(without(files, *dropped), seed, fluorescence=fluorescence)


def resting(seed: int, small: bool, *dropped: str, treated: bool = False, **options: object) -> Cohort:
    """Resting blood of three people (two if small) who were not infused."""
    files = [File(p, "pre", RESTING, 700, BLOOD, treated) for p in ("C1", "C2", "C3")[: 2 if small else 3]]
    return make(without(files, *dropped), seed, **options)  # type: ignore[arg-type]


def _named(a: Answer, *populations: str) -> list[Check]:
    """Clusters of every population have its name, and cells by and large one that holds."""
    named = [at_least(f"{p} cells are called {p}", a.share(p, p)) for p in populations]
    return [*named, at_least("cells with a name that holds, or a less specific one", a.right(), RIGHT)]


def no_adaptive(seed: int, small: bool) -> list[Check]:
    """Situation 1: without NKG2C+ cells, CD57+ ones are CD56dim_CD57 and none is adaptive."""
    a = answer(infused(seed, small, "adaptive", cmv=False), seed)
    return [*_named(a, "CD56dim_CD57", "CD56bright"), at_most("nothing is called adaptive", a.given("adaptive"))]


def no_cd57(seed: int, small: bool) -> list[Check]:
    """Situation 2: without CD57+ cells the other names stand; where nobody was infused none is memory_like."""
    a = answer(infused(seed, small, "adaptive", "CD56dim_CD57", cmv=False), seed)
    b = answer(_memory_without_infusion(seed), seed)
    memory = ("NKG2A_high", "CD56dim_NKG2A")
    return [
        *_named(a, "CD56dim_NKG2A", "CD56dim_KIR", "memory_like"),
        at_most("nothing is called CD56dim_CD57 or adaptive", a.given("CD56dim_CD57", "adaptive"), 0.05),
        at_least("memory-like cells of people not infused are NKG2A_high or NKG2A+", b.share("memory_like", *memory)),
        at_most("where nobody was infused nothing is called memory_like", b.given("memory_like"), 0.0),
    ]


def _memory_without_infusion(seed: int) -> Cohort:
    shares = {k: v for k, v in MONTH.items() if k not in ("adaptive", "CD56dim_CD57")}
    return make([File(p, "D28", shares, 700, BLOOD, False, False) for p in ("C1", "C2")], seed)


def resting_after_infusion(seed: int, small: bool) -> list[Check]:
    """Situation 3: months after infusion memory-like cells are called so, or with doubt."""
    files = [
        File(p, t, LATE, 600, BLOOD, True, False) for p in ("P1", "P2")[: 1 if small else 2] for t in ("D60", "D100")
    ]
    a = answer(make(files, seed), seed)
    doubted = a._replace(names=np.where(a.score < 0.5, "memory_like", a.names).astype(object))
    return [
        at_least(
            "memory-like cells are called so, or with a confidence below one half",
            doubted.share("memory_like", "memory_like"),
        ),
        *_named(a, "CD56bright", "CD56dim_CD57"),
    ]


def product_without_cycling(seed: int, small: bool) -> list[Check]:
    """Situation 4: activated cells of a product that does not cycle are never proliferating."""
    files = [f for f in course("P1", "day1", n_nk=700) if f.timepoint in ("pre", "product")]
    a = answer(make(files, seed), seed)
    return [
        *_named(a, "CIML_activated"),
        at_most("nothing is called proliferating", a.given("proliferating")),
    ]


def single_clusters(seed: int, small: bool) -> list[Check]:
    """Situation 5: one cluster alone, or two alike, have their population's name."""
    checks = []
    for population in ("CD56dim_NKG2A", "CD56bright"):
        cohort = make([File("P1", "pre", {population: 1.0}, 800)], seed)
        n = int(cohort.nk.sum())
        for labels, words in ((np.zeros(n, int), "a single cluster"), (np.arange(n) % 2, "two alike clusters")):
            a = answer(cohort, seed, labels=labels)
            checks.append(
                holds(f"{words} of {population} cells has its name", set(a.clusters["population"]) == {population})
            )
    return checks


def nkg2a_everywhere(seed: int, small: bool) -> list[Check]:
    """Situation 6: with NKG2A on all NK cells the names that rest on it stand."""
    column = MARKERS.index("NKG2A")

    def carry(expected: np.ndarray, kind: NDArray[np.object_]) -> np.ndarray:
        nk = np.isin(kind, POPULATIONS)
        random = np.random.default_rng(seed)
        level = 5 * np.sinh(3.6 + 0.5 * random.standard_normal(len(kind)))
        expected[:, column] = np.where(nk, np.maximum(expected[:, column], level), expected[:, column])
        return expected

    shares = {"CD56bright": 0.2, "CD56dim_NKG2A": 0.6, "memory_like": 0.2}
    files = [File(p, "D28", shares, 700, BLOOD, True, False) for p in ("P1", "P2")[: 1 if small else 2]]
    a = answer(make(files, seed, change=carry), seed)
    return [
        *_named(a, "CD56dim_NKG2A", "CD56bright"),
        at_most("cells without a name or only CD56dim", a.given("CD56dim", "unassigned"), 0.05),
    ]


def artefact(seed: int, small: bool) -> list[Check]:
    """The same clusters with and without a further one of 0.4 % of the cells, bright in three markers.

    Without these cells thresholds and yardsticks of the batch are found in others, so that they move by less than their
    own doubt: a cell at a border may get the other name.
    """
    cohort = infused(seed, small)
    labels = np.asarray(clusters(cohort.only(cohort.nk), seed).labels)
    strange = np.sort(np.random.default_rng(seed).permutation(len(labels))[: max(int(0.004 * len(labels)), 5)])
    rows, rest = np.flatnonzero(cohort.nk)[strange], np.setdiff1d(np.arange(len(labels)), strange)
    before = answer(cohort.only(~np.isin(np.arange(len(cohort.nk)), rows)), seed, labels=labels[rest])
    values, changed = cohort.values.copy(), labels.copy()
    for marker in ("CD2", "PD-1", "CD127"):
        values[rows, cohort.markers.index(marker)] = 8.0
    changed[strange] = labels.max() + 1
    after = answer(cohort._replace(values=values), seed, labels=changed)
    renamed = before.names != after.names[rest]
    return [at_most("other cells with another name", float(renamed.mean()), RENAMED)]


def aliases(seed: int, small: bool) -> list[Check]:
    """Situation 8: a panel that calls its markers otherwise gives the same names, cell by cell."""
    cohort = infused(seed, small)
    channel = panel().set_index("marker")["channel"]
    written = [long_name(channel[m], ALIASES.get(m, m)) for m in cohort.markers]
    read = [canonical(w) for w in written]
    wrong = [w for w, m in zip(written, cohort.markers, strict=True) if canonical(w) != m]
    same = answer(cohort, seed).names
    other = answer(cohort._replace(markers=[str(m) for m in read]), seed).names if not wrong else same[:0]
    return [
        holds(f"all aliases are read ({', '.join(wrong) or 'none missed'})", not wrong),
        holds("the same names as with the usual marker names", len(same) == len(other) and bool((same == other).all())),
    ]


def no_receptors(seed: int, small: bool, fluorescence: bool = False) -> list[Check]:
    """Situation 9: without NKG2A, NKG2C and KIR what needs none of them is named, and nothing else."""
    cohort = resting(seed, small, fluorescence=fluorescence)
    a = answer(cohort.with_markers([m for m in cohort.markers if m not in RECEPTORS]), seed)
    # the other cells of a cluster of CD56bright cells are CD56dim ones that this panel can call no more than that
    bright = a.share("CD56bright", "CD56bright", general="CD56dim")
    return [
        at_least("cells in clusters of CD56bright cells are called what holds for them", bright),
        at_least("CD56bright cells in them are called CD56bright", a.themselves("CD56bright")),
        *_named(a, "CD56dim_CD57"),
        at_least("the other CD56dim cells are called CD56dim", a.share("CD56dim_NKG2A", "CD56dim")),
        at_most("names that need the receptors", a.given("CD56dim_NKG2A", "CD56dim_KIR", "adaptive"), 0.0),
    ]


def cd7_only(seed: int, small: bool) -> list[Check]:
    """Situation 10: without CD56 the NK cells are found, and names that need it are withheld with the reason."""
    cohort = resting(seed, small)
    without_56 = [m for m in cohort.markers if m not in ("CD56", "NKp46", "CD94", "NKp30", "NKp44", "NKG2D", "T-bet")]
    a = answer(cohort.with_markers(without_56), seed)
    reasons = " ".join(str(r) for r in a.clusters["reason"].dropna())
    return [
        at_least("NK cells are found", a.recall, 0.9),
        at_least("and little else", a.precision, 0.9),
        at_most("names that need CD56", a.given("CD56bright"), 0.0),
        holds("the reason names CD56", "CD56" in reasons),
    ]


def nobody_infused(seed: int, small: bool) -> list[Check]:
    """Situation 11: activated cells of people not infused are activated; no name speaks of a history."""
    shares = {"CIML_activated": 0.3, "CD56bright": 0.1, "CD56dim_NKG2A": 0.3, "CD56dim_KIR": 0.2, "CD56dim_CD57": 0.1}
    files = [File(p, "pre", shares, 700, BLOOD, False) for p in ("C1", "C2")[: 1 if small else 2]]
    a = answer(make(files, seed), seed)
    words = " ".join(map(str, a.clusters["population"]))
    return [
        holds("no name says CIML or memory", not any(w in words for w in ("CIML", "memory"))),
        at_least("activated cells are called activated", a.share("CIML_activated", "activated")),
    ]


def fluorescence(seed: int, small: bool) -> list[Check]:
    """Situation 19: names of situations 1, 2, 4 and 9, measured by light."""
    a = answer(infused(seed, small, "adaptive", cmv=False, fluorescence=True), seed)
    b = answer(infused(seed, small, "adaptive", "CD56dim_CD57", cmv=False, fluorescence=True), seed)
    return [
        *_named(a, "CD56bright", "CD56dim_CD57", "CIML_activated"),
        at_most("nothing is called adaptive", a.given("adaptive"), FOREIGN),
        *_named(b, "CD56dim_NKG2A", "CD56dim_KIR"),
        *no_receptors(seed, small, fluorescence=True),
    ]


SCENARIOS = (
    Scenario("1", "no NKG2C+ cells", no_adaptive),
    Scenario("2", "no CD57+ cells", no_cd57),
    Scenario("3", "resting blood of infused patients", resting_after_infusion),
    Scenario("4", "a product without cycling cells", product_without_cycling),
    Scenario("5", "a single cluster, and two alike", single_clusters),
    Scenario("6", "NKG2A on all NK cells", nkg2a_everywhere),
    Scenario("7", "an artefact of 0.4 %", artefact),
    Scenario("8", "other words for markers", aliases),
    Scenario("9", "a panel without NKG2A, NKG2C, KIR", no_receptors),
    Scenario("10", "a panel without CD56: names", cd7_only),
    Scenario("11", "activated cells, nobody infused", nobody_infused),
    Scenario("19", "fluorescence: names", fluorescence),
)
