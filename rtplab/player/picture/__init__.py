"""The picture: decoded, drawn, and what lies over it."""
