"""Tables and plots, made from result files alone: no torch, so a laptop without it is enough."""
