"""Use cases: what every door (API, pages, admin, commands) calls. Keyword-only, verb first, one transaction, effects after commit."""
