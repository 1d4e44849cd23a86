"""Decoders: bodies and files in the forms that others send, to readings as columns."""
