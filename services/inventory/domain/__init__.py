"""What inventory decides, as functions of values: which deployment is live, what a gateway's URL may be."""
