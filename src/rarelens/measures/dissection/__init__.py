"""Network dissection: which units respond to which concept, and what that needs to be fast."""
