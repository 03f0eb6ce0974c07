"""The trained networks as ONNX graphs, written node by node, and their check against JAX."""
