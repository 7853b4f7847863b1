"""From files on disk to arrays that training maps into memory."""
