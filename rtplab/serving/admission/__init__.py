"""Access control, and the limits of each client."""
