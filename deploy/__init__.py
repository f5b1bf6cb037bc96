"""Scripts around the product: steps of checks, services for tests, translations."""
