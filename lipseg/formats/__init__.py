"""What is written of pictures: one file a format."""
