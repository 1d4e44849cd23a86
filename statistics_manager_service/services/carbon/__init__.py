"""Carbon intensity of grids: fetched, uploaded, kept, told."""
