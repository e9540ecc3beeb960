"""What runs inside the submission's process. It imports nothing of ours, and nobody believes it."""
