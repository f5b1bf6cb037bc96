"""What the site tells those who run it: figures for Prometheus, traces, and what each line of the log belongs to."""
