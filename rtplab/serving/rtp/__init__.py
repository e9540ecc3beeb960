"""The media side of the server: when frames are sent, and how."""
