"""What the user clicks and types."""
