# The workflow proper is in workflow/, where the workflow catalog looks for it; Snakemake looks here first.
include: "workflow/Snakefile"


# An include does not pass on its default target.
workflow.default_target = "all"
