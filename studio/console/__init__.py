"""The console: pages for people, rendered on the server; they know what the HTTP API tells them and nothing else."""
