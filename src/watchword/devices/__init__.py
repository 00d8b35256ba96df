"""What a person holds, a file per family.

`oath` is RFC 4226 and RFC 6238, `ocra` is RFC 6287. These are the plain functions: they compute,
keep no state and decide nothing. The engine verifies by its own road, in C.
"""
