"""HTTP as far as a client of cameras needs it: the heads of messages, and parts of multipart."""
