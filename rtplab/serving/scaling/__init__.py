"""Several processes, proxies in front of them, and metrics."""
