"""The name server: a phone book for remote objects."""
