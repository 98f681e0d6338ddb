"""The doctor: looks at everything that the bridge rests on and at what it has in hand, and says how to mend it.

A composition beside the bridge's own: it works while the bridge runs, while it does not, and while anything is away.
"""
