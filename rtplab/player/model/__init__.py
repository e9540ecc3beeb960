"""What the player knows and wants. No Tk."""
