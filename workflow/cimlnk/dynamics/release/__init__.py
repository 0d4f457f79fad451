"""May a product be given: its purity from its own file, and what its cells do."""
