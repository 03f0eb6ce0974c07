"""What makes the documentation and a release. Not part of the package."""
