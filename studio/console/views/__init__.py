"""What the pages show, as values made of API answers: pure, no I/O, no HTML."""
