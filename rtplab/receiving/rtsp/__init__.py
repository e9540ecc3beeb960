"""The control side of the client: what is said to a server, and what its replies mean."""
