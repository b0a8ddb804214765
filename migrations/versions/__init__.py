"""One script per change of the tables, numbered in order."""
