"""What every other part is made of: configuration, scenarios, metrics, costs, results."""
