"""The protocol panel beside the picture: what goes over the wire, made visible."""
