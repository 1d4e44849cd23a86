"""What is behind a number: its formula with the figures in it, readings, verdicts, prices, factors, and a digest."""
