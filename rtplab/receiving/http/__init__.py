"""The client for cameras that send their pictures by HTTP, one JPEG after another."""
