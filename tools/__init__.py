"""What a model may do: one typed function each, behind one gateway."""
