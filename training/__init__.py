"""Commands run from a shell: prepare data, train, evaluate, summarise."""
