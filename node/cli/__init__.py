"""The command line: one file per command, each a client of the same interfaces as everybody else.

    main.py       from arguments to an exit code: finds the command, runs it, turns every error into error/cause/hint
    commands.py   the table of commands; importing one is left to the moment it is asked for
    flags.py      the flags that every command has, also as GLOW_… in the environment
    failures.py   which exit code and which words an error gets
    output.py     tables, JSON, sizes and times; progress.py: what a person sees while waiting
    address.py    NODE, NODE/RESOURCE, NODE[/RESOURCE]:PATH, glow://NODE/RESOURCE/PATH
    client.py     work done through the running node; running.py and detach.py: the commands that are the node
    explanations.py   what every state means; survey.py: what nodes say of themselves; checkup.py: checks of a device
    complete.py   what shells call at each Tab; completing/: words, parsers and places
    files.py      file systems by address; copying/: `glow cp`

A command is a module with HELP-like lines in the table, `configure(parser)` and `run(arguments) -> exit code`.
"""
