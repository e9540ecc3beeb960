"""Movies as the server sends them: found by name, cut into payloads, converted if necessary."""
