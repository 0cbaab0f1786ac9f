"""One file a command: parse, call a service, show. No SQL, no HTTP, no try."""
