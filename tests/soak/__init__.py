"""Many viewers for a long time: whether the server stays what it is, and every frame too."""
