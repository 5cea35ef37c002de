"""One package for each service, and the platform that they all stand on."""
