"""What an admin must look at: rules that see it, a service that keeps it, webhooks that tell it."""
