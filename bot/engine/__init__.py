"""The durable job engine: it moves jobs from held credits to stored pictures and knows no Discord."""
