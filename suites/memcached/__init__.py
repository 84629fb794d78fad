"""The memcached suite: text and meta protocol, judged for clients and for servers."""
