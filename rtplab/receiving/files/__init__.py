"""What a client writes into files: recordings and captures."""
