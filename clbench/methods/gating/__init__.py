"""Hard attention to the task: gates per experience and hidden unit, and what they protect."""
