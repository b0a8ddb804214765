"""The shop's database history."""
