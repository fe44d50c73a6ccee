"""What `glow forward` carries: streams.py tcp connections, datagrams.py udp."""
