"""What pages and figures tell what was measured?"""
