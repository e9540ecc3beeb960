"""The server as a process: its command line, its listening sockets, its shutdown."""
