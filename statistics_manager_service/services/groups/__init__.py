"""Groups of homes and energy communities: their sums, what a home may learn of others, shared production."""
