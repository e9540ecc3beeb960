"""RTP, RTCP and JPEG over RTP: packets to objects and back."""
