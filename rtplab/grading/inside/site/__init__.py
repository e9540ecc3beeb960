"""On the path of a submission's client, so that Python imports the hook by itself."""
