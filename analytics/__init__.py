"""Numbers about members: features, learned models, and the generated demo shop."""
