"""The client of cameras that send their pictures by HTTP, one JPEG after the other."""
