"""What a daemon does: which objects it has, what may be reached on them, and how calls are run."""
