"""The server's movies and live streams for browsers, on a separate port."""
