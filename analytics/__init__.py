"""Reads what the councils did: roll-ups, queries, insights, reports. Never the other way round."""
