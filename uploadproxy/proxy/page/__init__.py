"""The page with which a browser uploads a file: static files, and how they are served (docs/uploads.md)."""
