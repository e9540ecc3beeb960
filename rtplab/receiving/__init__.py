"""The client: its requests, and reordering, loss and jitter, reassembly and playout."""
