"""Drawn charts. They know no Discord and no database.

A chart is a value with all its words, translated by its maker. A child process draws it with matplotlib, which the bot
itself never imports: it takes 75 MB and half a second of processor time.
"""
