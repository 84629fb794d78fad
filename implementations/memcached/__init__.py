"""memcached: clients of several libraries, a server, and the programs of the book."""
