"""The api door."""
