"""The pure core: arrays in, arrays out. No clock, no environment, no input or output."""
