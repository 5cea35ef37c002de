"""What a promotion is and how it may move: values and pure functions, told the time and who acts."""
