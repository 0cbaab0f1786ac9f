"""The durable job engine: from held credits to stored images.

It knows no Discord.
"""
