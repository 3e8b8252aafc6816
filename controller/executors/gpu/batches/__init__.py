"""A batch from its layout in pinned memory to its sound; who its streams are comes from outside."""
