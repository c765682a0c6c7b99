"""The OAuth client: consent, tokens, and what each error of the identity platform means."""
