"""The console without I/O: views, and pages over a stand-in for the API."""
