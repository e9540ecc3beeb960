"""Converts videos, animations and pictures to movies."""
