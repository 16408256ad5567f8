"""How events reach those they are for: the feed. Webhooks and subscriptions come later."""
