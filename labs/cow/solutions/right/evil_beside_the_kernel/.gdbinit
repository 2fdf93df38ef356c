shell touch evil-was-here
