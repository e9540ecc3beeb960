"""The grader: runs somebody's implementation of the lab, and says what of it is right."""
