"""Measurements, and the fake provider they are made against."""
