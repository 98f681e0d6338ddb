"""HTTP that we call: the assistant."""
