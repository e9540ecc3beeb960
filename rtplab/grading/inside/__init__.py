"""Code that runs in the submission's process. It imports nothing of ours, and is not trusted."""
