"""How nodes that cannot yet reach each other meet. It holds nothing yet: nodes meet by the addresses in an invite link."""
