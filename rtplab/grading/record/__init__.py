"""All input and output of the grader: processes, sockets, the screen, and the scenarios."""
