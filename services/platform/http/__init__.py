"""What every HTTP resource shares: problem documents, who is calling, strict bodies, cursors."""
