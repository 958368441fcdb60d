"""Sources of imports on the control plane: what is asked of them, and what their workers are told."""
