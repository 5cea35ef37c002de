"""For people and programs: the Python facade, the client, the command line and the local stack."""
