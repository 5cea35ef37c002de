"""The facade, the client and the command line, against a fake API."""
