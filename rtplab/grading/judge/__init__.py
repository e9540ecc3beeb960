"""The checks: pure functions from recordings to verdicts."""
