"""Comparisons between methods, and their reports."""
