"""Who is sampled when: patients, arms, time points and acquisition days of a synthetic cohort."""

from __future__ import annotations

from dataclasses import dataclass, field

from cimlnk.common.seeds import rng

DAYS = {"donor": -30, "pre": -7, "product": 0, "D7": 7, "D14": 14, "D28": 28, "D60": 60, "D100": 100}
COUNT_DAYS = (-7, 3, 7, 10, 14, 21, 28, 60, 100, 180)
BOOST_DAYS = (35, 42)
IL2_DAYS = (1, 3, 5, 7, 9, 11, 13)  # seven doses, every other day, over twelve days

CIML, IL2_ONLY, NONPERSISTER, NO_CYTOKINE = "CIML", "IL2_only", "nonpersister", "no_cytokine"
# Names of random streams: an arm called otherwise since keeps its first name here, so that its files stay the same.
STREAMS = {CIML: "CIML", IL2_ONLY: "IL2_only", NONPERSISTER: "NK_rejected", NO_CYTOKINE: "no_cytokine"}
INFUSED = (CIML, NONPERSISTER, NO_CYTOKINE)
LYMPHOMAS = ("Hodgkin lymphoma", "non-Hodgkin lymphoma")
DISEASES = ("AML", "AML", "AML", "MDS", "BPDCN", "CML blast crisis")


@dataclass(frozen=True)
class Size:
    """How large a cohort is.

    `cytof`, `rna` and `flow` hold, per arm, one tuple of time points for every sampled patient, in order. `nk_target`
    NK cells are aimed at per FCS file, with `lymphocytes` (least, most) live single lymphocytes; `rna_cells` barcodes
    per 10x sample, which hold antibody counts, too, where `antibodies` says so.
    """

    patients: dict[str, int]
    cytof: dict[str, list[tuple[str, ...]]]
    rna: dict[str, list[tuple[str, ...]]]
    nk_target: int
    lymphocytes: tuple[int, int]
    rna_cells: int
    batches: int
    flow: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    antibodies: bool = False


FULL = ("donor", "product", "pre", "D7", "D14", "D28", "D60", "D100")
CONTROL = ("pre", "D7", "D28", "D60")
NO_DONOR = ("product", "pre", "D7", "D28")
RNA_SHORT = ("donor", "product", "pre", "D7", "D28")
TWO_DAYS = ("pre", "D28")

SIZES: dict[str, Size] = {
    "tiny": Size(
        patients={CIML: 3, IL2_ONLY: 2},
        cytof={
            CIML: [("donor", "product", "pre", "D7", "D28"), ("pre", "D7", "D28"), ("pre", "D7", "D28")],
            IL2_ONLY: [("pre", "D28"), ("pre", "D28")],
        },
        rna={CIML: [("product", "pre", "D28"), ("pre", "D28")], IL2_ONLY: [("pre",)]},
        nk_target=420,
        lymphocytes=(480, 1600),
        rna_cells=250,
        batches=2,
    ),
    "demo": Size(
        patients={CIML: 6, IL2_ONLY: 6},
        cytof={CIML: [FULL] * 6, IL2_ONLY: [CONTROL] * 6},
        rna={CIML: [(*RNA_SHORT, "D60")] * 3 + [RNA_SHORT] * 3, IL2_ONLY: [("pre", "D28")] * 2},
        nk_target=3700,
        lymphocytes=(3700, 11500),
        rna_cells=900,
        batches=4,
    ),
    "controls": Size(
        patients={CIML: 4, IL2_ONLY: 4, NONPERSISTER: 4},
        cytof={CIML: [CONTROL] * 4, IL2_ONLY: [CONTROL] * 4, NONPERSISTER: [CONTROL] * 4},
        rna={},
        nk_target=420,
        lymphocytes=(480, 1600),
        rna_cells=250,
        batches=2,
    ),
    # Allogeneic NK cells after autologous transplantation, no cytokine (Tavakoli et al. 2025): eight patients.
    "lymphoma": Size(
        patients={NO_CYTOKINE: 8},
        cytof={NO_CYTOKINE: [NO_DONOR] * 8},
        rna={},
        nk_target=420,
        lymphocytes=(480, 1600),
        rna_cells=250,
        batches=2,
    ),
    # Aliquots of the same tubes measured three ways: mass cytometry, flow cytometry, RNA with antibodies.
    "three": Size(
        patients={CIML: 3},
        cytof={CIML: [TWO_DAYS] * 3},
        rna={CIML: [TWO_DAYS] * 3},
        flow={CIML: [TWO_DAYS] * 3},
        nk_target=420,
        lymphocytes=(480, 1600),
        rna_cells=350,
        batches=1,
        antibodies=True,
    ),
    "large": Size(
        patients={CIML: 6, IL2_ONLY: 6, NONPERSISTER: 4},
        cytof={CIML: [FULL] * 6, IL2_ONLY: [CONTROL] * 6, NONPERSISTER: [CONTROL] * 4},
        rna={CIML: [(*RNA_SHORT, "D60")] * 6, IL2_ONLY: [("pre", "D28")] * 3},
        nk_target=14000,
        lymphocytes=(15500, 70000),
        rna_cells=3000,
        batches=4,
    ),
}


@dataclass(frozen=True)
class Patient:
    """One recipient. `number` counts from 1 within the arm; `events` maps a day to a word."""

    id: str
    arm: str
    number: int
    disease: str
    dose_per_kg: float
    il2_planned: int
    il2_received: int
    cmv_viremia: bool
    donor_cmv: bool
    batch: int
    counts_given: str  # "nk" or "lymphocytes": what the patient's counts sheet holds
    events: dict[int, str] = field(default_factory=dict)
    response: str = ""  # best response, where the design has one


@dataclass(frozen=True)
class Sample:
    """One file. `run_position` (0–1) is its place in the acquisition day, which sets the bead drift."""

    id: str
    patient: Patient
    timepoint: str
    modality: str
    batch: str
    run_position: float
    big_endian: bool = False
    renamed_channel: bool = False
    h5: bool = False

    @property
    def day(self) -> int:
        return DAYS[self.timepoint]

    @property
    def tissue(self) -> str:
        return self.timepoint if self.timepoint in ("donor", "product") else "blood"

    @property
    def path(self) -> str:
        """Below the cohort's raw folder."""
        suffix = (".h5" if self.h5 else "") if self.modality == "rna" else ".fcs"
        return f"{self.modality}/{self.id}{suffix}"


def patients(size: str, seed: int) -> list[Patient]:
    """The recipients of a cohort, CIML patients first.

    The CIML arm has the quirks of the published cohort: six diseases, 5–10 million NK cells per kg, seven doses of
    IL-2 of which the last of six patients received two, stem-cell boosts in two patients at weeks 5 and 6,
    tocilizumab at day 7 in one, CMV viremia in three.
    """
    plan = SIZES[size]
    result = []
    for arm, prefix in ((CIML, "P"), (IL2_ONLY, "C"), (NONPERSISTER, "M"), (NO_CYTOKINE, "L")):
        for i in range(plan.patients.get(arm, 0)):
            random = rng(seed, "patient", STREAMS[arm], i)
            infused = arm in INFUSED
            alone = arm == NO_CYTOKINE
            dose = float(round(random.uniform(5e6, 1e7), -5)) if infused else float("nan")
            events: dict[int, str] = {}
            if arm == CIML and i in (0, 4):
                events |= dict.fromkeys(BOOST_DAYS, "stem_cell_boost")
            if arm == CIML and i == 1:
                events[7] = "tocilizumab"
            viremia = i % 2 == 1 if arm == CIML else i % 3 == 1
            planned = 0 if alone else 7 if infused else 84
            if (
                alone
            ):  # one infusion of ten million per kg, no cytokine; seven complete responses and one stable disease
                dose, viremia = 1e7, False
            result.append(
                Patient(
                    id=f"{prefix}{i + 1}",
                    arm=arm,
                    number=i + 1,
                    disease=(LYMPHOMAS if alone else DISEASES)[i % (2 if alone else len(DISEASES))],
                    dose_per_kg=dose,
                    il2_planned=planned,
                    il2_received=2 if arm == CIML and i == 5 else planned,
                    cmv_viremia=viremia,
                    donor_cmv=viremia or i % 3 == 0,
                    batch=i % plan.batches,
                    counts_given="nk" if i % 3 == 2 else "lymphocytes",
                    events=events,
                    response=("SD" if i == 5 else "CR") if alone else "",
                )
            )
    return result


def samples(size: str, seed: int) -> list[Sample]:
    """The files of a cohort, CyTOF first, then flow, then RNA, in the order of the sheet.

    All files of a patient are acquired on one day (batch) in random order, and every day has patients of every arm:
    neither time nor arm is confounded with batch, but patient is nested in it.
    """
    plan = SIZES[size]
    result: list[Sample] = []
    by_arm: dict[str, list[Patient]] = {}
    for patient in patients(size, seed):
        by_arm.setdefault(patient.arm, []).append(patient)
    for modality, design in (("cytof", plan.cytof), ("flow", plan.flow), ("rna", plan.rna)):
        drafts = [
            (patient, timepoint)
            for arm, members in by_arm.items()
            for patient, timepoints in zip(members, design.get(arm, []), strict=False)
            for timepoint in timepoints
        ]
        position = {}
        for batch in range(plan.batches):
            inside = [(p.id, t) for p, t in drafts if p.batch == batch]
            order = rng(seed, "run order", modality, batch).permutation(len(inside))
            for key, rank in zip(inside, order, strict=True):
                position[key] = float(rank) / max(len(inside) - 1, 1)
        for n, (patient, timepoint) in enumerate(drafts):
            cytof = modality == "cytof"
            prefix = {"cytof": "day", "flow": "flow", "rna": "run"}[modality]
            result.append(
                Sample(
                    id=f"{patient.id}_{timepoint}_{modality}",
                    patient=patient,
                    timepoint=timepoint,
                    modality=modality,
                    batch=f"{prefix}{patient.batch + 1}",
                    run_position=position[(patient.id, timepoint)],
                    big_endian=cytof and n % 3 == 1,
                    renamed_channel=cytof and n == 3,
                    h5=modality == "rna" and n % 4 == 1,
                )
            )
    return result


def sample(size: str, seed: int, sample_id: str) -> Sample:
    """One sample by its id.

    Raises
    ------
    KeyError
        If the design has no such sample.
    """
    for candidate in samples(size, seed):
        if candidate.id == sample_id:
            return candidate
    raise KeyError(f"the {size} design has no sample {sample_id!r}")
