"""Movie files: opened, indexed, and read frame by frame."""
