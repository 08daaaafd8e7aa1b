"""How do a shop's files become its record?

One module a layout. Each reads in pieces, lists what it rejects with line and
reason, and writes everything in one transaction or nothing at all.
"""
