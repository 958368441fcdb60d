"""What our servers have in common: TLS on an administrator's terms, health, metrics, leaving without a gap."""
