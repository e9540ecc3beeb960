"""The media side of the client: from datagrams to frames that are due."""
