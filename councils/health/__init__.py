"""Whether providers and models are there: asked every few minutes, judged, kept as records. No run depends on it."""
