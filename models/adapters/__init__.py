"""Small heads on top of the models: trained here, shipped as data, each with a card in `models/cards`."""
