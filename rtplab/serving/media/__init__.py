"""Movies as the server sends them: found, cut into payloads, converted."""
