"""One file a page: load through the API, make the view, render."""
