"""Messages to calls and back. Pure: no sockets, threads, clocks or configuration here."""
