"""A package, because fixtures of the scope "package" must end before other tests begin."""
