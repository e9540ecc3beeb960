"""Bytes to objects and back: RTSP, RTP, RTCP, SDP, JPEG. No socket, thread, clock or window."""
