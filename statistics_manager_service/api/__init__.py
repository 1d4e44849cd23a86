"""The REST API: routes, errors, encodings."""
