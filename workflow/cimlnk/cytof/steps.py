"""The steps that prepare files, in their order."""

# Step, and the folder it writes to; alignment works on cells and comes later.
FILE_STEPS = {"bead_normalisation": "normalised", "debarcoding": "debarcoded", "spillover": "compensated"}
