"""The stores: SQLite and PostgreSQL behind one SQL layer."""
