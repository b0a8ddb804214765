"""Tests that the tiny shop has of its own; ``tests/integration/test_kit.py`` runs them."""
