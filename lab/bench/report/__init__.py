"""What benchmarks say on a page: plots, tables, and which server to take.

Knows figures and how to draw and write them. Must not know how anything is measured, nor a protocol or an implementation.
"""
