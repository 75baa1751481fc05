"""What takes long, beside the loop of the kernel."""
