"""Statements as people read them: a page for the browser, a PDF to send."""
