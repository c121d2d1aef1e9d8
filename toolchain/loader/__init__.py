"""From an object to programs in a runtime: link and bind (pure), and the pipeline that orders every effect."""
