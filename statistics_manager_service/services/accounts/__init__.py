"""Who calls and whose home it is: tokens, keys, accounts that are kept elsewhere."""
