"""Bytes to objects and back: RTSP, RTP, RTCP, SDP and JPEG, with no socket, thread, clock or window."""
