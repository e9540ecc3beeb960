"""The checks: pure functions from recordings to verdicts. No socket, no clock, no process."""
