"""Run folders, encodings of pictures, and studies of trained tokenizers."""
