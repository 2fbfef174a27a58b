"""Files to chunks of text, and text to named raw columns; strict."""
