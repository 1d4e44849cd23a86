"""What bills hang on: tariffs, contracts, series of prices."""
