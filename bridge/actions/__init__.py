"""The verbs: one file each, read top to bottom; an action's fields are the ports that it uses."""
