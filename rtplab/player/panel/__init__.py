"""The protocol panel beside the picture: what goes over the wire, made visible."""

from rtplab.player.panel.panel import Panel

__all__ = ["Panel"]
