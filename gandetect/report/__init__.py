"""One page about a model and what it says of new rows: self-contained HTML, without scripts and without a network."""
