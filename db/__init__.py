"""SQLite and PostgreSQL behind one small interface: tables, migrations, one repository a concept. No decisions."""
