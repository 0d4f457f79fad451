"""Calibration of the statistics on cohorts that are simulated without the workflow."""
