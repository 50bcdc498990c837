"""What a client does, as generator procedures that ask for effects. Pure: drivers grant the effects elsewhere."""
