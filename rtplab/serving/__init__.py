"""What the server needs beyond the worker: the movie library, packetising, pacing and sending."""
