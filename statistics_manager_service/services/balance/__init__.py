"""Flows of a home by the quarter-hour: where each kilowatt-hour came from and went, the battery's books, devices."""
