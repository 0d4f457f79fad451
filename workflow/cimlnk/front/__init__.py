"""The front door: what a person meets before, at the end of and after a run (warnings, console, draft, check, add)."""
