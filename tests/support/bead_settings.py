"""How beads are normalised in tests: the channels of the DVS beads, and the defaults of a run."""

SETTINGS = {
    "masses": [140, 151, 153, 165, 175],
    "dna": [191, 193],
    "baseline": "own",
    "reference": "",
    "window": 500,
    "trim": 5.0,
    "minimum_beads": 20,
    "remove": True,
}
