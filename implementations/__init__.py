"""Clients, servers and programs that speak a protocol in Python: what the lab puts to the test.

This floor knows protocols and the library that each file adapts. It must not know the lab, the suites, pytest or Docker:
a file here can be read, copied and run alone. `catalogue.toml` names every implementation; `listings.toml` names
every program that the floor is to hold.
"""
