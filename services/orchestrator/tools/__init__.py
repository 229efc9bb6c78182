"""The tools that a turn may use: what they are, which there are, and how one is run."""
