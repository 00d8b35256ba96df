"""The daemon: one engine behind RESP on TCP, and its administration behind a unix socket.

The road of a login is compiled (ext/connection.pxi, ext/gather.pxi); here is the wiring around it:
settings, limits, the commands that are not hot, administration, signals. One file, one noun.
`daemon.run(config)` serves; it is not imported here, since the loop and its library are only needed
where somebody serves.
"""
