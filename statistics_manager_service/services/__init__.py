"""The services: what the product does, over ports that adapters fill in."""
