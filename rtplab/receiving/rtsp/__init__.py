"""The control side of the client: the requests to a server, and the handling of its replies."""
