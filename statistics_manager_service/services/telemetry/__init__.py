"""Readings on their way into the store: accepted, corrected, folded; fetched from elsewhere; verified."""
