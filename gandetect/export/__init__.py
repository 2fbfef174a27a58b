"""Variants of a fitted model file: smaller, faster, or for other machines; each made from the file alone."""
