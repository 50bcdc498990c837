"""The room for blocking sockets: `Proxy` and its kin for ordinary code."""
