"""Generators and discriminators (torch), one module per modality."""
