"""What both consoles share: login, sessions, forgery protection, content security, base templates, design tokens."""
