"""The Firefly language (docs/concepts/language.md): from `.firefly` files to compiled schemas and generated stubs.

    source.py       text and places in it
    grammar.lark    the syntax
    parser.py       text to model.py; recovery.py goes on after a syntax error, builder.py walks the tree
    loader.py       files and what they import
    scope.py        what a name means
    diagnostics.py  the table of rules and of what to say; report.py shows it
    checker.py      the rules at work, with type_rules.py, proto_rules.py, attribute_rules.py and values.py
    compiler.py     checked model to compiled.py, the schema
    generators/     schema to code
    generate.py     `python -m idl.generate`: our own stubs

It knows nothing of the protocol and imports no other package of ours.
"""
