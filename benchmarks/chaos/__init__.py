"""Hurt a whole installation on purpose while councils deliberate, and show that nothing is lost and nothing is paid twice.

    python -m benchmarks.chaos redis --mode flapping --runs 40

A web process, Celery workers, a PostgreSQL and a Redis of our own, and the fake provider. Questions are asked over the API, every run has
a viewer, pages are looked at meanwhile. ``__main__`` reads the command line, ``services`` has the servers that may be hurt, ``stack`` the
processes of the site, ``crowd`` those who ask, watch and look; each kind of fault is a module of its own.
"""
