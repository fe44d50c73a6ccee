"""How nodes that cannot yet reach each other meet. This package holds nothing yet: nodes meet by the addresses in an invite link."""
