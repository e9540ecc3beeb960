"""On the path of a submission's client where there is no screen."""
