"""The site's LAN: siblings by zeroconf, devices by MQTT. Hints and presence, never trust."""
