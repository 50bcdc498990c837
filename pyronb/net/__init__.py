"""What the network is: addresses, sockets, streams of bytes, deadlines."""
