"""Chaos: many refunds while everything around them fails, and what must hold all the same."""
