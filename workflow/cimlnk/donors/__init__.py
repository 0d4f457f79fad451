"""Whose cells they are: donor calls of other programs, the same persons on all days, and their shares."""
