"""Controllers: observe, decide (pure), act."""
