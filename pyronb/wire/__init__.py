"""Bytes to messages and back. Pure: no sockets, threads, clocks or configuration here."""
