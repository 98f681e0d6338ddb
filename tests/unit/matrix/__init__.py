"""The edge to Matrix."""
