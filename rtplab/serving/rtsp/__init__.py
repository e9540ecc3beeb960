"""The control side of the server: connections, requests, sessions."""
