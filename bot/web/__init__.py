"""HTTP endpoints for health checks and providers."""
