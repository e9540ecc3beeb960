"""Movies are made of anything: videos, animations, pictures."""
