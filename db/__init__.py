"""Persistence on SQLite and PostgreSQL.

Tables, migrations, and one repository per concept. No decisions are made here.
"""
