"""Believable telemetry of three homes over thirteen months, the same for the same end on every machine.

A day is made from its own seed, so the days of the past stay as they are when the end moves on.
"""

from statistics_manager_service.demo.homes import DemoHome, count, first_month, homes, readings
from statistics_manager_service.demo.prices import DemoSeries, price_series

__all__ = ["DemoHome", "DemoSeries", "count", "first_month", "homes", "price_series", "readings"]
