"""Photographs to a prior."""
