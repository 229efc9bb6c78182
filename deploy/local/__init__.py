"""The embedded stack: NATS, PostgreSQL and the four services on this machine, each declared as a `Part`."""
