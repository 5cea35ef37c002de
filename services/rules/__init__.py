"""The rules service: which deployment is fit to move on, why, and when that may change."""
