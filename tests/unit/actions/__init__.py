"""Actions against ports that live in memory."""
