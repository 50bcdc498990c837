"""The kernel side of the notebook: magics, completion, cards and remote tracebacks. (`%load_ext pyronb`.)"""
