"""What no subscriber may choke on: thirteen kinds of record, at every subscription of every service."""
