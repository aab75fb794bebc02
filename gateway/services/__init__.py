"""Use cases: one function is one use case is one transaction, with one audit record. ``recall`` is the hot path's only
way to storage. Called by the doors and the command line; knows neither HTTP nor the terminal."""
