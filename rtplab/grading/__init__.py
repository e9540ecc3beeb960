"""The grader: runs somebody's implementation of the lab, and says what is right and wrong."""
