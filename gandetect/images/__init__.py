"""The detector for images: how it is trained, and what its model file is made of."""
