"""Demo objects: small, honest things to call from a notebook, a browser or a tutorial.

- `pyronb.demo.host`: this machine, live.
- `pyronb.demo.scope`: a simulated oscilloscope.
- `pyronb.demo.store`: keys, values and tables, kept on disk.
- `pyronb.demo.serve`: registers the three in a daemon.

All arguments and results are plain builtin values, so that every serializer carries them. Nothing is imported here:
who wants one object pays for one.
"""
