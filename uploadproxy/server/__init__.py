"""The upload server: takes one image over mutual TLS and writes it into the volume of its pod."""
