"""The front window: local pages and a JSON API, off unless the owner switches them on.

Nothing here but `settings` and `claim_code` is imported before they are on.
"""
