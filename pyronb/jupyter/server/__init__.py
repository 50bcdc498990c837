"""The extension of the Jupyter server: what a name server knows, as JSON for the lab extension."""
