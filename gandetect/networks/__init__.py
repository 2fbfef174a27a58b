"""Generators and discriminators (torch): a module for tables, those for images, and the layer that both are made of."""
