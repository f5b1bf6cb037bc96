"""A provider made of asyncio and nothing else. ``benchmarks/fake_provider.py`` is its door and its manual."""
