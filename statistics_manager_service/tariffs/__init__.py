"""The tariff language, and what energy costs under it: documents in, statements out."""
