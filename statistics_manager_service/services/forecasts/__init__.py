"""Forecasts: made, fetched, kept, told."""
