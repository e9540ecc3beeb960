"""The server's movies and live streams for browsers, on a port of its own."""
