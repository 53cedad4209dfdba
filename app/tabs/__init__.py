"""Tabs: each builds its components and connects them to the services; nothing is computed here."""
