"""The examples of the guides: read out of the text, and played against a real stack."""
