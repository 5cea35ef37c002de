"""The pure core of the rules service around the condition language: eligibility, decisions, the trigger, replays."""
