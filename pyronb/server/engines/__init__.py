"""Engines move bytes between sockets and conversations. The ``thread`` engine is the one there is."""
