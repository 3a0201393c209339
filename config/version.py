"""The version of the gateway; the wheel takes it from here."""

VERSION = "0.1.0"
