"""The protocol panel next to the picture: it shows the traffic on the wire."""
