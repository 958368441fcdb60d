"""The public proxy in front of all upload servers: it checks a token, finds the server of its claim, and passes on."""
