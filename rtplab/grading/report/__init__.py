"""Grades as text for people and platforms. Pure."""
