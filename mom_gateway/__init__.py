"""The package of an installed gateway: the checkout's packages and gateway.py lie in its folder."""
