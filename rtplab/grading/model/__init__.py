"""What the grader's parts share: recordings, checks, editions and grades. No socket, no process."""
