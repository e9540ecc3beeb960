"""What the client needs: reordering, loss and jitter, reassembly and playout."""
