"""The study's claims as executable checks."""
