"""How nodes that cannot yet reach each other meet. Empty for now: nodes meet by the addresses in an invite link."""
