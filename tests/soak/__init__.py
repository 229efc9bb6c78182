"""The soak: thousands of turns while every process is killed at random, then an audit of every store."""
