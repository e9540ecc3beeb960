"""RTSP: messages and their parsers, headers, addresses, states, session descriptions."""
