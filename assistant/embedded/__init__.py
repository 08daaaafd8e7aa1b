"""The chat model that needs no key: reads, routes, fills arguments and words answers."""
