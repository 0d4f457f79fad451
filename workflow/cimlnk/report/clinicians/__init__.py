"""What a clinician asks of a cohort: ten answers, on two pages, and one page per patient, as PDF."""
