"""Pictures: fetched safely, decoded completely, kept under their hash, fitted to upload limits. No Discord, no SQL."""
