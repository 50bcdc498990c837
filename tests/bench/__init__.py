"""Measurements that anyone can run: `make bench`, or `python -m tests.bench --help`.

Timings of one moment say little: processors change their speed, and other programs come and go. So all contenders take
turns within one run, round by round, and what is told are ratios within a round, as their median. Contenders are other
libraries and the bare socket, which is the floor: nobody can be faster than that. Servers and clients are processes of
their own, on given processors.

`workloads` says what is measured, `peers` who can do it, `session` runs it in rounds, `figures` is the arithmetic, and
`report` shows it.
"""
