"""Run folders, and what their tokenizers make of pictures."""
