"""More than one process, proxies in front of them, and figures about them."""
