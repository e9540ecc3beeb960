"""What the six classic files stand on: protocol, serving, receiving and player."""

__version__ = "1.0.0"
