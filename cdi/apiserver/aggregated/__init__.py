"""The aggregated API ``upload.cdi.kubevirt.io``: what API servers hand on to us."""
