"""A forwardAuth gateway whose checks are answered from memory."""
