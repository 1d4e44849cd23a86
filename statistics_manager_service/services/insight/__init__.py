"""What a home's figures say: demand and profiles, comparisons, records, goals, the quality of its data."""
