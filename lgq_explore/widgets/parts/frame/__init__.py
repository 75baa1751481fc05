"""What stands around the charts of every panel: its foot, its saved picture, and what can be saved of it."""
