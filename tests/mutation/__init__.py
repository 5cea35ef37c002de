"""`make mutants`: takes each guard away in turn, in a copy of the code, and sees that a test turns red."""
