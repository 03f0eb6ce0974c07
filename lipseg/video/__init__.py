"""Video files: decoding, encoding, following lips through them, and what is written of them."""
