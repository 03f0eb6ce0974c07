"""Settings of every test: JAX on the CPU, no network, real data sets found through the environment."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
