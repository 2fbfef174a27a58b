"""The detector for tables: how it is trained, and what its model file is made of."""
