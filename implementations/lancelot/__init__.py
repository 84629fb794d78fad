"""Lancelot: one small protocol of questions and answers, served by one program for each architecture.

`protocol` is the pure part that all of them share. Each server takes `INTERFACE [--port N]`, prints `listening on
HOST:PORT` once it listens, and answers whatever it had received before it ends at SIGTERM.
"""
